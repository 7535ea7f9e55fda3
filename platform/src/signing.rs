//! Berth's own signatures: Ed25519 (RFC 8032) by *ring*, with keys that are rows.
//!
//! ```no_run
//! use domain::signing_key::Purpose;
//! use platform::signing::Signer;
//!
//! # async fn example(signer: Signer) -> Result<(), platform::signing::Unavailable> {
//! let key = signer.active(Purpose::TerminalSigner).await?; // its name goes into what is signed
//! let signature = key.sign(b"message")?;
//! assert!(signer.verify(Purpose::TerminalSigner, key.kid(), b"message", &signature).await?);
//! # Ok(()) }
//! ```
//!
//! Several replicas on several hosts share the keys, so they lie in the database, their private
//! halves sealed (ADR 22). The first that needs a key makes it, and always the next one with it.
//! Each process holds a copy for [`MAX_COPY_AGE`]; then, or when a name is unknown, it looks again.
//! When it cannot look, nothing is signed and nothing verified: a key may have been revoked.

mod active;
mod jwks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::envelope::{EncCtx, Owner};
use domain::signing_key::{Kid, NewSigningKey, PublicKey, Purpose, SigningKey};
use domain::state::SigningKeyState;
use futures::future::BoxFuture;
use ring::signature::{self, UnparsedPublicKey};
use tokio::time::Instant;

pub use self::active::ActiveKey;
use self::active::Seed;
pub use self::jwks::{Published, published_key};
use crate::sealing::{OpenError, Sealer};

/// How old a process's copy of the keys may become (a revoked key counts this much longer).
pub const MAX_COPY_AGE: Duration = Duration::from_secs(5);
/// How long those who verify elsewhere may keep the published keys (`Cache-Control` of the set).
pub const PUBLIC_COPY_AGE: Duration = Duration::from_mins(1);
/// Unknown names make a process look again at most this often.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(1);
/// The longest look.
const READ_LIMIT: Duration = Duration::from_secs(5);

/// Nothing can be signed or verified now; it may work later.
#[derive(Debug, thiserror::Error)]
#[error("the signing keys cannot be had now")]
pub struct Unavailable(#[source] anyhow::Error);

impl Unavailable {
    pub(crate) fn new(error: impl Into<anyhow::Error>) -> Self {
        Self(error.into())
    }
}

/// Where the keys lie.
pub trait KeyStore: Send + Sync + 'static {
    /// Every key that is not revoked, oldest first.
    fn read(&self) -> BoxFuture<'_, anyhow::Result<Vec<SigningKey>>>;

    /// Publishes a key as the next of its purpose unless there is one, and lets the next one sign
    /// if none does. Any number of processes may do this at once.
    fn add(&self, new: NewSigningKey) -> BoxFuture<'_, anyhow::Result<()>>;
}

/// Signs and verifies. Cheap to clone.
#[derive(Clone)]
pub struct Signer(Arc<Inner>);

struct Inner {
    store: Box<dyn KeyStore>,
    sealer: Sealer,
    copy: Mutex<Option<Held>>,
    /// Held while the keys are read: one look for many who ask.
    looking: tokio::sync::Mutex<()>,
    /// Seeds of active keys, opened once.
    seeds: Mutex<BTreeMap<Kid, Arc<Seed>>>,
}

#[derive(Clone)]
struct Held {
    read_at: Instant,
    keys: Arc<[SigningKey]>,
}

impl Signer {
    pub fn new(store: impl KeyStore, sealer: Sealer) -> Self {
        Self(Arc::new(Inner {
            store: Box::new(store),
            sealer,
            copy: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            seeds: Mutex::default(),
        }))
    }

    /// The key that signs for a purpose now; for one signature, not to be kept.
    pub async fn active(&self, purpose: Purpose) -> Result<ActiveKey, Unavailable> {
        let keys = self.keys(MAX_COPY_AGE).await?;
        let active = active_of(&keys, purpose)
            .ok_or_else(|| Unavailable::new(anyhow::anyhow!("no key of {purpose} signs")))?;
        let seed = self.seed(active).await?;
        Ok(ActiveKey::new(active.public, seed))
    }

    /// Whether a key of this purpose, which is not revoked, signed the message.
    pub async fn verify(
        &self,
        purpose: Purpose,
        kid: &Kid,
        message: &[u8],
        signature: &[u8; 64],
    ) -> Result<bool, Unavailable> {
        let find = |keys: &[SigningKey]| {
            let mut of_purpose = keys.iter().filter(|key| key.purpose == purpose);
            of_purpose.find(|key| key.kid == *kid).map(|key| key.public)
        };
        let mut key = find(&self.keys(MAX_COPY_AGE).await?);
        if key.is_none() {
            key = find(&self.keys(UNKNOWN_PAUSE).await?);
        }
        Ok(key.is_some_and(|key| verify(&key, message, signature)))
    }

    /// What `/.well-known/jwks.json` says.
    pub async fn published(&self) -> Result<Published, Unavailable> {
        Ok(Published::of(&self.keys(MAX_COPY_AGE).await?))
    }

    /// Looks at the keys now, and makes those that are lacking.
    pub async fn renew(&self) -> Result<(), Unavailable> {
        self.keys(Duration::ZERO).await.map(drop)
    }

    /// Whether a key that is published signs what its published half verifies; it need not sign for
    /// others yet.
    pub async fn proves(&self, purpose: Purpose, kid: &Kid) -> Result<bool, Unavailable> {
        let keys = self.keys(Duration::ZERO).await?;
        let mut of_purpose = keys.iter().filter(|key| key.purpose == purpose);
        let Some(key) = of_purpose.find(|key| key.kid == *kid) else {
            return Ok(false);
        };
        let seed = match self.seed(key).await {
            Ok(seed) => seed,
            // What is sealed will never open: no key to sign with.
            Err(Unavailable(why)) if is_for_good(&why) => return Ok(false),
            Err(error) => return Err(error),
        };
        let message = format!("a proof of {kid}");
        let signature = ActiveKey::new(key.public, seed).sign(message.as_bytes())?;
        let published = Published::of(&keys).json;
        let set = serde_json::from_str(&published).map_err(Unavailable::new)?;
        let known = published_key(&set, kid, purpose);
        Ok(known.is_some_and(|public| verify(&public, message.as_bytes(), &signature)))
    }

    /// Whether what a key signed is refused, as the keys are now.
    pub async fn refuses(&self, purpose: Purpose, kid: &Kid) -> Result<bool, Unavailable> {
        let keys = self.keys(Duration::ZERO).await?;
        Ok(!keys
            .iter()
            .any(|key| key.purpose == purpose && key.kid == *kid))
    }

    async fn keys(&self, max_age: Duration) -> Result<Arc<[SigningKey]>, Unavailable> {
        if let Some(keys) = self.copy(max_age) {
            return Ok(keys);
        }
        let _looking = self.0.looking.lock().await;
        if let Some(keys) = self.copy(max_age) {
            return Ok(keys);
        }
        // The copy is as old as the look's beginning.
        let read_at = Instant::now();
        let keys = tokio::time::timeout(READ_LIMIT, self.look()).await;
        let keys: Arc<[_]> = keys.map_err(Unavailable::new)??.into();
        self.forget_seeds_but(&keys);
        note_ages(&keys);
        let copy = Held {
            read_at,
            keys: keys.clone(),
        };
        *lock(&self.0.copy) = Some(copy);
        Ok(keys)
    }

    fn copy(&self, max_age: Duration) -> Option<Arc<[SigningKey]>> {
        let copy = lock(&self.0.copy).clone()?;
        (copy.read_at.elapsed() < max_age).then_some(copy.keys)
    }

    /// Reads the keys, and makes those that are lacking. A purpose that can sign does without its
    /// next key while that cannot be made.
    async fn look(&self) -> Result<Vec<SigningKey>, Unavailable> {
        let mut keys = self.0.store.read().await.map_err(Unavailable::new)?;
        // The first key of a purpose, and its next.
        for _ in 0..2 {
            let all = Purpose::ALL.iter().copied();
            let lacking: Vec<_> = all.filter(|purpose| lacks(&keys, *purpose)).collect();
            if lacking.is_empty() {
                break;
            }
            for purpose in lacking {
                let made = self.make(purpose).await;
                match made {
                    Err(error) if active_of(&keys, purpose).is_none() => return Err(error),
                    Err(error) => tracing::warn!(%purpose, ?error, "no next signing key yet"),
                    Ok(()) => {}
                }
            }
            keys = self.0.store.read().await.map_err(Unavailable::new)?;
        }
        Ok(keys)
    }

    async fn make(&self, purpose: Purpose) -> Result<(), Unavailable> {
        let seed = Seed::draw().map_err(Unavailable::new)?;
        let public = seed.public().map_err(Unavailable::new)?;
        let at = EncCtx::new(Owner::Platform, &public.kid());
        let private = self.0.sealer.seal(&at, seed.expose()).await;
        let new = NewSigningKey {
            purpose,
            public,
            private: private.map_err(Unavailable::new)?,
        };
        self.0.store.add(new).await.map_err(Unavailable::new)
    }

    async fn seed(&self, key: &SigningKey) -> Result<Arc<Seed>, Unavailable> {
        if let Some(seed) = lock(&self.0.seeds).get(&key.kid) {
            return Ok(seed.clone());
        }
        let private = key.private.as_ref();
        let private =
            private.ok_or_else(|| Unavailable::new(anyhow::anyhow!("no private half")))?;
        let at = EncCtx::new(Owner::Platform, &key.kid);
        let opened = self.0.sealer.open(&at, private).await;
        let seed = Seed::from_opened(&opened.map_err(Unavailable::new)?, &key.public);
        let seed = Arc::new(seed.map_err(Unavailable::new)?);
        lock(&self.0.seeds).insert(key.kid.clone(), seed.clone());
        Ok(seed)
    }

    fn forget_seeds_but(&self, keys: &[SigningKey]) {
        let signs = |kid: &Kid| {
            let mut active = keys
                .iter()
                .filter(|key| key.state == SigningKeyState::Active);
            active.any(|key| key.kid == *kid)
        };
        lock(&self.0.seeds).retain(|kid, _| signs(kid));
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

fn is_for_good(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(OpenError::Refused(_)))
}

/// Whether this key signed the message; strict (RFC 8032, section 5.1.7).
pub fn verify(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&signature::ED25519, key.as_bytes())
        .verify(message, signature)
        .is_ok()
}

fn active_of(keys: &[SigningKey], purpose: Purpose) -> Option<&SigningKey> {
    keys.iter()
        .find(|key| key.purpose == purpose && key.state == SigningKeyState::Active)
}

fn lacks(keys: &[SigningKey], purpose: Purpose) -> bool {
    [SigningKeyState::Active, SigningKeyState::PrePublished]
        .iter()
        .any(|state| {
            let mut of_purpose = keys.iter().filter(|key| key.purpose == purpose);
            !of_purpose.any(|key| key.state == *state)
        })
}

fn note_ages(keys: &[SigningKey]) {
    for key in keys
        .iter()
        .filter(|key| key.state == SigningKeyState::Active)
    {
        metrics::gauge!("key_version_age_seconds", "kind" => key.purpose.as_str())
            .set(key.age_seconds);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
