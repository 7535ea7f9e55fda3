//! The text of an API key: `berth_<public id>_<secret><checksum>`.
//!
//! The prefix and the checksum let anybody (a secret scanner, our own front door) tell a key from
//! any other text without asking a database; the form follows GitHub's token format. The public
//! id, 12 base-62 digits, finds the row and may be logged; the secret, 43 base-62 digits, holds
//! 256 bits; the checksum is the CRC-32 (ISO-HDLC) of everything before it, 6 base-62 digits.

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest, Sha256};

const PREFIX: &str = "berth_";
const CHECKSUM_DIGITS: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a key may be used for, within what its person may do.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    serde::Serialize,
    serde::Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Looking at things.
    Read,
    /// Working: allocations, SSH keys, API keys of one's own.
    Write,
    /// Administering: organizations, projects, their people; the platform, for its operators.
    Admin,
}

impl Scope {
    /// No bounds.
    pub fn all() -> BTreeSet<Self> {
        <Self as strum::VariantArray>::VARIANTS
            .iter()
            .copied()
            .collect()
    }
}

/// A key whose checksum holds. `Debug` shows the public id only.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    public_id: String,
    secret: String,
}

/// Why a text is no API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    #[error("not of the form berth_<public id>_<secret><checksum>")]
    Form,
    #[error("the checksum does not hold: mistyped or made up")]
    Checksum,
}

impl ApiKey {
    /// Length of the public id, in base-62 digits.
    pub const PUBLIC_ID_DIGITS: usize = 12;
    /// Length of the secret, in base-62 digits: 256 bits.
    pub const SECRET_DIGITS: usize = 43;

    /// Puts a key together from parts that were drawn at random.
    pub fn from_parts(public_id: &str, secret: &str) -> Result<Self, ApiKeyError> {
        if is_base62(public_id, Self::PUBLIC_ID_DIGITS) && is_base62(secret, Self::SECRET_DIGITS) {
            Ok(Self {
                public_id: public_id.to_owned(),
                secret: secret.to_owned(),
            })
        } else {
            Err(ApiKeyError::Form)
        }
    }

    /// Reads a key; costs no query whatever the text.
    pub fn parse(text: &str) -> Result<Self, ApiKeyError> {
        let (public_id, rest) = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'))
            .ok_or(ApiKeyError::Form)?;
        if !is_base62(rest, Self::SECRET_DIGITS + CHECKSUM_DIGITS) {
            return Err(ApiKeyError::Form);
        }
        let (secret, checksum) = rest.split_at(Self::SECRET_DIGITS);
        let key = Self::from_parts(public_id, secret)?;
        if key.checksum() == checksum {
            Ok(key)
        } else {
            Err(ApiKeyError::Checksum)
        }
    }

    /// The part that finds the row and may be logged.
    pub fn public_id(&self) -> &str {
        &self.public_id
    }

    /// What is stored instead of the secret. A plain hash suffices: there are 256 bits to guess.
    pub fn secret_sha256(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_bytes()).into()
    }

    /// The whole key, to be shown once.
    pub fn reveal(&self) -> String {
        format!("{}{}", self.body(), self.checksum())
    }

    fn body(&self) -> String {
        format!("{PREFIX}{}_{}", self.public_id, self.secret)
    }

    fn checksum(&self) -> String {
        let mut rest = crc32fast::hash(self.body().as_bytes());
        let mut digits = [ALPHABET[0]; CHECKSUM_DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = ALPHABET[(rest % 62) as usize];
            rest /= 62;
        }
        digits.iter().map(|digit| char::from(*digit)).collect()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({PREFIX}{}_…)", self.public_id)
    }
}

fn is_base62(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> ApiKey {
        ApiKey::from_parts("0123456789ab", &"Zz9".repeat(15)[..43]).expect("sound parts")
    }

    #[test]
    fn round_trip() {
        let key = sample();
        assert_eq!(ApiKey::parse(&key.reveal()), Ok(key.clone()));
        assert_eq!(key.reveal().len(), 6 + 12 + 1 + 43 + 6);
        assert!(!format!("{key:?}").contains("Zz9"));
    }

    #[test]
    fn ak_02_ten_thousand_wrong_checksums_are_refused_without_a_lookup() {
        let good = sample().reveal();
        let (body, checksum) = good.split_at(good.len() - CHECKSUM_DIGITS);
        let mut tried = 0;
        for n in 0..10_001_u32 {
            let wrong: String = format!("{n:06}");
            if wrong == checksum {
                continue;
            }
            assert_eq!(
                ApiKey::parse(&format!("{body}{wrong}")),
                Err(ApiKeyError::Checksum)
            );
            tried += 1;
        }
        assert!(tried >= 10_000);
    }

    #[test]
    fn every_single_changed_character_is_noticed() {
        let good = sample().reveal();
        for at in PREFIX.len()..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert!(ApiKey::parse(&changed).is_err(), "{changed}");
        }
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in [
            "",
            "berth_",
            "berth__",
            "gck_live_x",
            "berth_0123456789ab_short",
            "berth_ä",
            "Bearer x",
        ] {
            assert_eq!(ApiKey::parse(text), Err(ApiKeyError::Form), "{text}");
        }
    }
}
