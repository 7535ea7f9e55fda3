//! Keys by name, and data keys.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use zeroize::Zeroizing;

/// Who wraps data keys.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, strum::Display, strum::EnumString,
)]
#[strum(serialize_all = "lowercase")]
pub enum Provider {
    /// A keyset file of this host.
    Local,
    /// `OpenBao`'s or Vault's Transit engine.
    Transit,
}

/// A wrapping key's name: 1 to 64 of `a-z0-9._-`, the first a letter or digit.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(String);

/// The text is not a key's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key's name is 1 to 64 of a-z, 0-9, dot, underscore, hyphen")]
pub struct NotAKeyId;

impl FromStr for KeyId {
    type Err = NotAKeyId;

    fn from_str(text: &str) -> Result<Self, NotAKeyId> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let fits = (1..=64).contains(&text.len())
            && text.bytes().next().is_some_and(plain)
            && text.bytes().all(|b| plain(b) || b"._-".contains(&b));
        fits.then(|| Self(text.to_owned())).ok_or(NotAKeyId)
    }
}

impl KeyId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A wrapping key's version, from 1.
pub type KeyVersion = NonZeroU32;

/// The wrapping key of one envelope: all of it that may be logged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRef {
    pub provider: Provider,
    pub id: KeyId,
    pub version: KeyVersion,
}

/// A data key under a wrapping key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    pub key: KeyRef,
    /// At most [`MAX_EDK_BYTES`](super::MAX_EDK_BYTES), in the provider's own format.
    pub edk: Vec<u8>,
}

/// 32 bytes that seal one value; wiped when dropped, shown by nothing.
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The bytes, for those who wrap or derive.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}
