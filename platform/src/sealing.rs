//! Sealing and opening of values in `_enc` columns: the one way to either.
//!
//! ```no_run
//! use domain::envelope::{EncCtx, Owner, Stored, column::SchedulerRequest};
//! use platform::sealing::Sealer;
//!
//! # async fn example(sealer: Sealer, org: domain::id::OrgId, id: domain::id::AllocationId)
//! # -> anyhow::Result<()> {
//! // The place: whose, which column, which row. Berth's own keys say `Owner::Platform`.
//! let at = EncCtx::<SchedulerRequest>::new(Owner::Organization(org), &id);
//! let sealed = sealer.seal(&at, b"secret").await?; // before the transaction begins
//! // In `db`, in the statement: `db::sealed::bind(&sealed) as _`; a row gives `Stored` back.
//! let stored = Stored::from(&sealed);
//! let plaintext = sealer.open(&at, &stored).await?; // wiped when dropped
//! # Ok(()) }
//! ```
//!
//! For a new column (a signing key, a webhook's secret): one line in `domain::envelope::column`,
//! a column of the schema's type `envelope` in a migration, `db::sealed::bind` in its statement.
//! Everything else is here.
//!
//! A value has a data key of its own. Unwrapped data keys are kept for five minutes, a thousand
//! at most, and wiped when they go; many readers of one value ask the KMS once (ENV-11). While
//! the KMS is away, sealing and reading what is not kept fail as *unavailable*; nothing is ever
//! written in clear instead.

mod cache;

use std::sync::Arc;

use domain::envelope::{
    Column, DataKey, EncCtx, Envelope, Fresh, Refusal, Sealed, Stored, TooLong,
};
use rand::TryRng as _;
use rand::rngs::SysRng;
use secrecy::SecretSlice;
use zeroize::Zeroizing;

use self::cache::Cache;
use crate::kms::{KeyName, Kms, KmsError};

/// Why a value was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// Nothing was written; it may work later.
    #[error("the value cannot be sealed now")]
    Unavailable(#[source] Arc<KmsError>),
}

/// Why a value was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Never: it is not what was sealed for this place.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Not now: nothing is known against the value.
    #[error("the value cannot be opened now")]
    Unavailable(#[source] Arc<KmsError>),
}

/// Seals and opens with the KMS's keys. Cheap to clone.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    kms: Arc<Kms>,
    cache: Cache,
}

impl Sealer {
    /// Starts with an empty cache; within a runtime.
    pub fn new(kms: Arc<Kms>) -> Self {
        Self(Arc::new(Inner {
            kms,
            cache: Cache::new(),
        }))
    }

    /// Seals a value for its place, under a fresh data key.
    pub async fn seal<C: Column>(
        &self,
        at: &EncCtx<C>,
        plaintext: &[u8],
    ) -> Result<Sealed<C>, SealError> {
        let (key, fresh) = draw()
            .map_err(|e| SealError::Unavailable(Arc::new(KmsError::Unavailable(e.to_string()))))?;
        let wrapped = self.0.kms.wrap(KeyName::Columns, &key, &at.binding()).await;
        let wrapped = wrapped.map_err(|e| SealError::Unavailable(Arc::new(e)))?;
        Ok(Sealed::seal(at, &key, wrapped, fresh, plaintext)?)
    }

    /// Opens what the row at this place holds.
    pub async fn open<C: Column>(
        &self,
        at: &EncCtx<C>,
        stored: &Stored<C>,
    ) -> Result<SecretSlice<u8>, OpenError> {
        let envelope = stored.envelope();
        let opened = match &envelope {
            Ok(envelope) => self.open_envelope(at, envelope).await,
            Err(refusal) => Err(OpenError::Refused(*refusal)),
        };
        if let Err(error) = &opened {
            note::<C>(error, envelope.ok().as_ref());
        }
        opened
    }

    async fn open_envelope<C: Column>(
        &self,
        at: &EncCtx<C>,
        envelope: &Envelope,
    ) -> Result<SecretSlice<u8>, OpenError> {
        if envelope.key().id.as_str() != KeyName::Columns.as_str() {
            return Err(Refusal::Key.into());
        }
        let binding = at.binding();
        let unwrap = || self.0.kms.unwrap(envelope.key(), envelope.edk(), &binding);
        let key = self.0.cache.get(envelope, &binding, unwrap).await;
        let key = key.map_err(refusal_of)?;
        Ok(envelope.open(at, &key)?)
    }

    /// Whether values could be sealed now; for `/readyz`.
    pub async fn check(&self) -> Result<(), KmsError> {
        self.0.kms.check().await
    }
}

/// A fresh data key and the random bytes of its one sealing, from the operating system.
fn draw() -> Result<(DataKey, Fresh), rand::rngs::SysError> {
    let mut key = Zeroizing::new([0; 32]);
    let (mut mid, mut nonce) = ([0; 16], [0; 12]);
    SysRng.try_fill_bytes(key.as_mut_slice())?;
    SysRng.try_fill_bytes(&mut mid)?;
    SysRng.try_fill_bytes(&mut nonce)?;
    Ok((DataKey::from_bytes(key), Fresh { mid, nonce }))
}

fn refusal_of(error: Arc<KmsError>) -> OpenError {
    match &*error {
        KmsError::UnknownKey => Refusal::Key.into(),
        KmsError::UnknownVersion => Refusal::KeyVersion.into(),
        // The key is known and does not open it: it was bound to another place.
        KmsError::Refused => Refusal::Place.into(),
        KmsError::Unavailable(_) | KmsError::Exhausted => OpenError::Unavailable(error),
    }
}

/// One line and one count; of the value, only which key sealed it.
fn note<C: Column>(error: &OpenError, envelope: Option<&Envelope>) {
    let reason = match error {
        OpenError::Refused(refusal) => refusal.reason(),
        OpenError::Unavailable(_) => "kms_unavailable",
    };
    metrics::counter!("enc_decrypt_fail_total", "reason" => reason).increment(1);
    let kid = envelope.map(|e| e.key().id.as_str());
    let kv = envelope.map(|e| e.key().version.get());
    tracing::warn!(
        reason,
        table = C::TABLE,
        column = C::COLUMN,
        kid,
        kv,
        "a sealed value did not open"
    );
}

#[cfg(test)]
mod tests;
