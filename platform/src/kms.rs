//! Keys that wrap data keys: one seam, and behind it whoever holds them.
//!
//! A [`Kms`] wraps and unwraps 32-byte data keys, each bound to the place of its value, and never
//! gives a wrapping key away. Nothing here knows what is sealed; `platform::sealing` does that.
//!
//! [`Keyring`] is something else beside it: files with Berth's own long-lived keys. The local
//! provider keeps its keysets there.

mod keyring;
mod keyset;
mod local;
mod transit;

use domain::envelope::{Binding, DataKey, KeyId, KeyRef, KeyVersion, Wrapped};

pub(crate) use self::keyring::fresh_ssh_key;
use crate::settings::{KmsSettings, Settings};

pub use self::keyring::{Keyring, KeyringError};
pub use self::local::LocalKms;
pub use self::transit::Transit;

/// The wrapping keys that Berth has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyName {
    /// Of every `_enc` column.
    Columns,
    /// Of Temporal's payloads.
    Payload,
}

impl KeyName {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Columns, Self::Payload];

    /// The `kid` in envelopes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Columns => "cp-main",
            Self::Payload => "payload",
        }
    }

    /// None for a name that is not one of ours.
    pub fn of(id: &KeyId) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == id.as_str())
    }
}

/// Why a data key was not wrapped or unwrapped.
#[derive(Debug, thiserror::Error)]
pub enum KmsError {
    /// Nobody to ask, or no answer in time, or not let in: it may work later.
    #[error("the key service is not available: {0}")]
    Unavailable(String),
    #[error("there is no such wrapping key")]
    UnknownKey,
    #[error("there is no such version of the wrapping key")]
    UnknownVersion,
    /// Wrapped under another key or for another place, or changed.
    #[error("the wrapped key is refused")]
    Refused,
    /// The key's version has wrapped as often as it may.
    #[error("the wrapping key must be rotated before it wraps again")]
    Exhausted,
}

/// Whoever holds the wrapping keys.
pub enum Kms {
    Local(LocalKms),
    Transit(Transit),
}

impl Kms {
    /// Opens what the settings name.
    ///
    /// A server that is away does not keep a process from starting; a keyring with an open door
    /// does. Within a runtime.
    pub fn open(settings: &Settings, keyring: Keyring) -> anyhow::Result<Self> {
        Ok(match &settings.kms {
            KmsSettings::Keyring => Self::Local(LocalKms::open(keyring)?),
            KmsSettings::Transit(transit) => Self::Transit(Transit::new(transit)?),
        })
    }

    /// Wraps with the newest version of a key.
    pub async fn wrap(
        &self,
        name: KeyName,
        key: &DataKey,
        binding: &Binding,
    ) -> Result<Wrapped, KmsError> {
        match self {
            Self::Local(local) => local.wrap(name, key, binding),
            Self::Transit(transit) => transit.wrap(name, key, binding).await,
        }
    }

    /// Unwraps what was wrapped for the same binding.
    pub async fn unwrap(
        &self,
        key: &KeyRef,
        edk: &[u8],
        binding: &Binding,
    ) -> Result<DataKey, KmsError> {
        match self {
            Self::Local(local) => local.unwrap(key, edk, binding),
            Self::Transit(transit) => transit.unwrap(key, edk, binding).await,
        }
    }

    /// 32 bytes that one version of a key always gives for a label; without a version, the newest.
    pub async fn derive(
        &self,
        name: KeyName,
        version: Option<KeyVersion>,
        label: &str,
    ) -> Result<(KeyRef, DataKey), KmsError> {
        match self {
            Self::Local(local) => local.derive(name, version, label),
            Self::Transit(transit) => transit.derive(name, version, label).await,
        }
    }

    /// Whether it would work now; for `/readyz`.
    pub async fn check(&self) -> Result<(), KmsError> {
        match self {
            Self::Local(local) => local.check(),
            Self::Transit(transit) => transit.check().await,
        }
    }
}
