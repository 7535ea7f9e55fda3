//! The embedded provider: wrapping keys in files of the keyring, `<key>.keyset.json`, made on
//! first run. For one host: every role of it reads the same folder.
//!
//! A wrapped key is nonce and AES-256-GCM-SIV ciphertext, the binding its associated data.
//!
//! How often a version has wrapped is counted in a file beside the keyset (ENV-12), by blocks, so
//! that neither a restart nor a second role starts again at nought. At half of what the cipher
//! bears it says so, at the end it refuses: rotate the key.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use domain::envelope::{Binding, DataKey, KeyRef, Provider, Wrapped, aead, hkdf_sha256};
use rand::TryRng as _;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use super::keyset::Keyset;
use super::{KeyName, Keyring, KeyringError, KmsError};

/// Wraps that a role sets aside at once. A restart loses at most these.
const BLOCK: u64 = 1 << 16;
/// From here on it is an alert.
const WARN_AT: u64 = 1 << 31;
/// A version never wraps more often.
const REFUSE_AT: u64 = 1 << 32;

type Version = (KeyName, NonZeroU32);

/// Keysets in the keyring's folder.
pub struct LocalKms {
    keyring: Keyring,
    keysets: Mutex<BTreeMap<KeyName, Arc<Keyset>>>,
    /// What is left of the block of each version.
    left: Mutex<BTreeMap<Version, u64>>,
}

impl LocalKms {
    /// Opens the keysets, or makes them.
    pub fn open(keyring: Keyring) -> Result<Self, KeyringError> {
        let local = Self {
            keyring,
            keysets: Mutex::default(),
            left: Mutex::default(),
        };
        for name in KeyName::ALL {
            local.read(name)?;
        }
        Ok(local)
    }

    pub(super) fn wrap(
        &self,
        name: KeyName,
        key: &DataKey,
        binding: &Binding,
    ) -> Result<Wrapped, KmsError> {
        let keyset = self.keyset(name)?;
        self.count((name, keyset.primary))?;
        let kek = keyset
            .version(keyset.primary)
            .ok_or(KmsError::UnknownVersion)?;
        let mut nonce = [0; aead::NONCE_BYTES];
        SysRng
            .try_fill_bytes(&mut nonce)
            .map_err(|e| KmsError::Unavailable(e.to_string()))?;
        let mut edk = nonce.to_vec();
        edk.extend(aead::seal(kek, &nonce, binding.as_bytes(), key.expose()));
        Ok(Wrapped {
            key: reference(name, keyset.primary)?,
            edk,
        })
    }

    pub(super) fn unwrap(
        &self,
        key: &KeyRef,
        edk: &[u8],
        binding: &Binding,
    ) -> Result<DataKey, KmsError> {
        let name = KeyName::of(&key.id)
            .filter(|_| key.provider == Provider::Local)
            .ok_or(KmsError::UnknownKey)?;
        let mut keyset = self.keyset(name)?;
        if keyset.version(key.version).is_none() {
            // Another role may have been given a newer version than we have read.
            keyset = self.read(name).map_err(|e| unavailable(&e))?;
        }
        let kek = keyset
            .version(key.version)
            .ok_or(KmsError::UnknownVersion)?;
        let (nonce, sealed) = edk.split_first_chunk().ok_or(KmsError::Refused)?;
        let opened = aead::open(kek, nonce, binding.as_bytes(), sealed).ok_or(KmsError::Refused)?;
        let bytes = <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| KmsError::Refused)?;
        Ok(DataKey::from_bytes(Zeroizing::new(bytes)))
    }

    pub(super) fn derive(
        &self,
        name: KeyName,
        version: Option<NonZeroU32>,
        label: &str,
    ) -> Result<(KeyRef, DataKey), KmsError> {
        // Read anew: another role may have been given a newer version.
        let keyset = self.read(name).map_err(|e| unavailable(&e))?;
        let version = version.unwrap_or(keyset.primary);
        let kek = keyset.version(version).ok_or(KmsError::UnknownVersion)?;
        let mut derived = Zeroizing::new([0; 32]);
        hkdf_sha256(&[], kek, label.as_bytes(), derived.as_mut_slice())
            .map_err(|_| KmsError::Refused)?;
        let key = reference(name, version)?;
        Ok((key, DataKey::from_bytes(derived)))
    }

    /// Whether the files are still there and ours alone.
    pub(super) fn check(&self) -> Result<(), KmsError> {
        self.read(KeyName::Columns)
            .map(drop)
            .map_err(|e| unavailable(&e))
    }

    fn keyset(&self, name: KeyName) -> Result<Arc<Keyset>, KmsError> {
        let known = self.keysets.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&name)
            .cloned()
            .ok_or_else(|| KmsError::Unavailable("the keyset was never read".to_owned()))
    }

    fn read(&self, name: KeyName) -> Result<Arc<Keyset>, KeyringError> {
        let file = format!("{}.keyset.json", name.as_str());
        let text = self.keyring.read_or_make(&file, || {
            let mut key = Zeroizing::new([0; 32]);
            SysRng
                .try_fill_bytes(key.as_mut_slice())
                .map_err(|e| self.keyring.failed(&file, e.into()))?;
            Ok(Keyset::first(&key))
        })?;
        let keyset = Keyset::parse(&text).ok_or_else(|| self.keyring.wrong(&file))?;
        let keyset = Arc::new(keyset);
        let mut known = self.keysets.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name, Arc::clone(&keyset));
        Ok(keyset)
    }

    fn count(&self, of: Version) -> Result<(), KmsError> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let left = left.entry(of).or_default();
        if *left == 0 {
            self.set_aside(of)?;
            *left = BLOCK;
        }
        *left -= 1;
        Ok(())
    }

    fn set_aside(&self, (name, version): Version) -> Result<(), KmsError> {
        let (kid, kv) = (name.as_str(), version.to_string());
        let counted = self
            .keyring
            .add(&format!("{kid}.v{kv}.wraps"), BLOCK, REFUSE_AT)
            .map_err(|e| unavailable(&e))?;
        let Some(counted) = counted else {
            tracing::error!(kid, kv, "the wrapping key may wrap no more: rotate it");
            return Err(KmsError::Exhausted);
        };
        if counted >= WARN_AT {
            tracing::error!(kid, kv, counted, "rotate the wrapping key soon");
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 2^32")]
        metrics::gauge!("enc_kek_wraps", "kid" => kid, "kv" => kv).set(counted as f64);
        Ok(())
    }
}

fn reference(name: KeyName, version: NonZeroU32) -> Result<KeyRef, KmsError> {
    Ok(KeyRef {
        provider: Provider::Local,
        id: name.as_str().parse().map_err(|_| KmsError::UnknownKey)?,
        version,
    })
}

/// The reason may reach `/readyz`, which anybody reads: which file it is, the log tells.
fn unavailable(error: &KeyringError) -> KmsError {
    tracing::error!(%error, "the keyring cannot be used");
    KmsError::Unavailable("the keyring cannot be used".to_owned())
}

#[cfg(test)]
mod tests;
