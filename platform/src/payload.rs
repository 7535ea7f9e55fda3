//! The payload codec: what Temporal keeps of inputs, results, signals and failures is sealed.
//!
//! A second fence: payloads are ids and small enums by rule. Here a thief of Temporal's database
//! does not learn even these.
//!
//! One data key a process and hour: `HKDF-SHA256(master, salt)` with a fresh salt that travels in
//! each payload's metadata beside the master's name and version, so that opening one needs no
//! network. The masters come from the key service (key kind `payload`) when a role connects, and
//! are looked for again each minute, so that a version that another role has begun to use is known
//! before long. The SDK gives a codec no workflow id, so the namespace is what is authenticated.
//!
//! Format: `doc/architecture/Encryption_Envelope_Spec.md`, "Payloads". Anything that is not ours
//! passes through: histories from before the codec, and what people send by hand.

mod format;
mod json;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use domain::envelope::{DataKey, KeyVersion};
use futures::future::BoxFuture;
use rand::TryRng as _;
use rand::rngs::SysRng;
use temporalio_common::data_converters::{
    DataConverter, DefaultFailureConverter, PayloadCodec, PayloadConversionError, PayloadConverter,
    SerializationContextData,
};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use tokio_util::task::AbortOnDropHandle;

use self::format::Sealing;
pub use self::format::{ENCODING, Unreadable};
pub use self::json::transcode;
use crate::kms::{KeyName, Kms, KmsError};

/// How long one data key seals.
const HOUR: Duration = Duration::from_hours(1);
/// How often the key service is asked for versions that are new.
const LOOK: Duration = Duration::from_mins(1);
/// What a master is derived for.
const LABEL: &str = "berth/payload/v1";

/// Seals and opens payloads; in memory, without waiting. Cheap to clone.
#[derive(Clone)]
pub struct Codec(Arc<Inner>);

struct Inner {
    namespace: String,
    masters: RwLock<Masters>,
    hour: Mutex<Option<(Instant, Arc<Sealing>)>>,
    /// Ends with the codec.
    keeper: Mutex<Option<AbortOnDropHandle<()>>>,
}

/// The masters of every version that is still there.
pub struct Masters {
    primary: KeyVersion,
    keys: BTreeMap<KeyVersion, DataKey>,
}

impl Masters {
    /// None unless the primary is among the keys.
    pub fn new(primary: KeyVersion, keys: BTreeMap<KeyVersion, DataKey>) -> Option<Self> {
        keys.contains_key(&primary)
            .then_some(Self { primary, keys })
    }

    async fn load(kms: &Kms) -> Result<Self, KmsError> {
        let (newest, key) = kms.derive(KeyName::Payload, None, LABEL).await?;
        let mut keys = BTreeMap::from([(newest.version, key)]);
        for older in (1..newest.version.get()).rev().filter_map(KeyVersion::new) {
            match kms.derive(KeyName::Payload, Some(older), LABEL).await {
                Ok((_, key)) => drop(keys.insert(older, key)),
                // It was retired; so were those before it.
                Err(KmsError::UnknownVersion | KmsError::Refused) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            primary: newest.version,
            keys,
        })
    }
}

impl Codec {
    /// Asks the key service for the masters, and keeps looking for new ones.
    pub async fn open(kms: Arc<Kms>, namespace: &str) -> Result<Self, KmsError> {
        let codec = Self::with(namespace, Masters::load(&kms).await?);
        let keeper = tokio::spawn(keep(Arc::downgrade(&codec.0), kms));
        *lock(&codec.0.keeper) = Some(AbortOnDropHandle::new(keeper));
        Ok(codec)
    }

    /// With these masters and no others.
    pub fn with(namespace: &str, masters: Masters) -> Self {
        Self(Arc::new(Inner {
            namespace: namespace.to_owned(),
            masters: RwLock::new(masters),
            hour: Mutex::new(None),
            keeper: Mutex::new(None),
        }))
    }

    /// How everybody who talks to Temporal writes and reads payloads. Messages of failures are
    /// sealed too.
    pub fn converter(&self) -> DataConverter {
        DataConverter::new(
            PayloadConverter::default(),
            DefaultFailureConverter::new(true),
            self.clone(),
        )
    }

    /// Seals one payload, whatever it is.
    pub fn seal(&self, payload: &Payload) -> Result<Payload, Unreadable> {
        let mut nonce = [0; 12];
        SysRng
            .try_fill_bytes(&mut nonce)
            .map_err(|_| Unreadable::Randomness)?;
        Ok(self.sealing()?.seal(&self.0.namespace, nonce, payload))
    }

    /// Opens one that was sealed; any other is given back as it is.
    pub fn unseal(&self, payload: Payload) -> Result<Payload, Unreadable> {
        if !format::is_sealed(&payload) {
            return Ok(payload);
        }
        let masters = self
            .0
            .masters
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let opened = format::open(&self.0.namespace, &masters.keys, &payload);
        if let Err(error) = &opened {
            metrics::counter!("enc_payload_fail_total", "reason" => error.reason()).increment(1);
        }
        opened
    }

    /// The data key of this hour.
    fn sealing(&self) -> Result<Arc<Sealing>, Unreadable> {
        let mut hour = lock(&self.0.hour);
        let masters = self
            .0
            .masters
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((since, sealing)) = &*hour
            && since.elapsed() < HOUR
            && sealing.version() == masters.primary
        {
            return Ok(Arc::clone(sealing));
        }
        let mut salt = [0; 16];
        SysRng
            .try_fill_bytes(&mut salt)
            .map_err(|_| Unreadable::Randomness)?;
        let master = masters
            .keys
            .get(&masters.primary)
            .ok_or(Unreadable::KeyVersion)?;
        let sealing = Arc::new(Sealing::new(masters.primary, master, salt));
        *hour = Some((Instant::now(), Arc::clone(&sealing)));
        Ok(sealing)
    }
}

/// Takes over versions that appear, and forgets those that are gone.
async fn keep(codec: Weak<Inner>, kms: Arc<Kms>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let loaded = Masters::load(&kms).await;
        let Some(codec) = codec.upgrade() else { return };
        match loaded {
            Ok(masters) => {
                *codec
                    .masters
                    .write()
                    .unwrap_or_else(PoisonError::into_inner) = masters;
            }
            // What is known stays good.
            Err(error) => tracing::warn!(%error, "no news of payload keys"),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Coded = BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>>;

/// The work is done before the future is made: the poll loop never waits for it.
impl PayloadCodec for Codec {
    fn encode(&self, _: &SerializationContextData, payloads: Vec<Payload>) -> Coded {
        let coded: Result<_, _> = payloads.iter().map(|payload| self.seal(payload)).collect();
        Box::pin(std::future::ready(coded.map_err(conversion)))
    }

    fn decode(&self, _: &SerializationContextData, payloads: Vec<Payload>) -> Coded {
        let coded: Result<_, _> = payloads
            .into_iter()
            .map(|payload| self.unseal(payload))
            .collect();
        Box::pin(std::future::ready(coded.map_err(conversion)))
    }
}

fn conversion(error: Unreadable) -> PayloadConversionError {
    PayloadConversionError::EncodingError(Box::new(error))
}

#[cfg(test)]
mod tests;
