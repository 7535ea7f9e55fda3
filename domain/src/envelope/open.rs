//! Opening, and why it failed.

use secrecy::SecretSlice;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::split::split;
use super::{Column, DataKey, EncCtx, Envelope, aead};

/// Why a value is not opened. Callers are told the same for all of them; [`Refusal::reason`] is
/// for the log and the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, strum::EnumIter)]
#[error("the sealed value cannot be opened")]
pub enum Refusal {
    /// Not an envelope.
    Malformed,
    /// A version that this Berth does not know.
    Version,
    /// A suite that it does not know.
    Algorithm,
    /// A provider or wrapping key that it does not have.
    Key,
    /// A version of that key that it does not have.
    KeyVersion,
    /// The data key is not the one that sealed the value.
    Commitment,
    /// It was sealed for another place, or changed.
    Place,
}

impl Refusal {
    /// Stable label.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::Algorithm => "algorithm",
            Self::Key => "key",
            Self::KeyVersion => "key_version",
            Self::Commitment => "commitment",
            Self::Place => "aad",
        }
    }
}

impl Envelope {
    /// Opens with the unwrapped data key, in constant time up to the first refusal.
    pub fn open<C: Column>(
        &self,
        at: &EncCtx<C>,
        key: &DataKey,
    ) -> Result<SecretSlice<u8>, Refusal> {
        self.open_with(at, key, aead::open)
    }

    /// The commitment is compared before the cipher sees anything.
    pub(super) fn open_with<C: Column>(
        &self,
        at: &EncCtx<C>,
        key: &DataKey,
        decrypt: impl FnOnce(&[u8; 32], &[u8; 12], &[u8], &[u8]) -> Option<Zeroizing<Vec<u8>>>,
    ) -> Result<SecretSlice<u8>, Refusal> {
        let split = split(key, &self.mid);
        if !bool::from(split.commitment.ct_eq(&self.commitment)) {
            return Err(Refusal::Commitment);
        }
        let aad = at.payload_aad(&self.mid);
        decrypt(&split.cipher_key, &self.nonce, &aad, &self.ciphertext)
            .map(|mut plaintext| SecretSlice::from(std::mem::take(&mut *plaintext)))
            .ok_or(Refusal::Place)
    }
}
