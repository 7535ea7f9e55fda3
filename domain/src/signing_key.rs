//! Keys that Berth signs with: what each is for, what it is called, and its public half.
//!
//! Ed25519 (RFC 8032) throughout, as `OKP` keys of RFC 8037. A key's name is its thumbprint
//! (RFC 7638), so that a name cannot be given to another key.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use strum::{EnumString, IntoStaticStr, VariantArray};
use time::OffsetDateTime;

use crate::envelope::column::SigningPrivateKey;
use crate::envelope::{RowKey, Sealed, Stored};
use crate::state::SigningKeyState;

/// The one algorithm, as JOSE calls it (RFC 8037).
pub const ALGORITHM: &str = "EdDSA";

/// What a key signs. A signature of one purpose is worth nothing for the other.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Purpose {
    /// Receipts and webhooks: what others verify.
    JwtSigner,
    /// Tickets: what Berth itself verifies.
    TerminalSigner,
}

impl Purpose {
    pub const ALL: &'static [Self] = Self::VARIANTS;

    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A key's name: the base64url SHA-256 of its canonical JWK, 43 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Kid(String);

/// The text is not a signing key's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing key's name is the base64url SHA-256 of its JWK (RFC 7638)")]
pub struct NotAKid;

impl Kid {
    /// Length of every name.
    pub const DIGITS: usize = 43;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RowKey for Kid {}

impl FromStr for Kid {
    type Err = NotAKid;

    fn from_str(text: &str) -> Result<Self, NotAKid> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAKid)?;
        (bytes.len() == 32)
            .then(|| Self(text.to_owned()))
            .ok_or(NotAKid)
    }
}

impl<'de> serde::Deserialize<'de> for Kid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its thumbprint (RFC 7638): over the required members alone, in their order, without blanks.
    pub fn kid(&self) -> Kid {
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, self.x());
        Kid(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(canonical)))
    }

    /// As published. `berth_purpose` is ours; verifiers that do not know it ignore it (RFC 7517,
    /// section 4).
    pub fn jwk(&self, purpose: Purpose) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "x": self.x(), "kid": self.kid(), "alg": ALGORITHM,
            "use": "sig", "berth_purpose": purpose,
        })
    }

    /// Reads a published key of this purpose; None for any other, or one whose name is not its own.
    pub fn from_jwk(jwk: &Value, purpose: Purpose) -> Option<Self> {
        let x = BASE64_URL_SAFE_NO_PAD.decode(jwk["x"].as_str()?).ok()?;
        let key = Self(x.try_into().ok()?);
        (key.jwk(purpose) == *jwk).then_some(key)
    }

    fn x(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.kid())
    }
}

/// A key as the database has it.
#[derive(Debug, Clone)]
pub struct SigningKey {
    pub kid: Kid,
    pub purpose: Purpose,
    pub state: SigningKeyState,
    pub public: PublicKey,
    /// The seed, sealed; gone once the key signs no more.
    pub private: Option<Stored<SigningPrivateKey>>,
    pub created_at: OffsetDateTime,
    pub activated_at: Option<OffsetDateTime>,
    pub retiring_at: Option<OffsetDateTime>,
    pub revoked_at: Option<OffsetDateTime>,
    /// Since it was activated, or made when it was not yet, by the database's clock.
    pub age_seconds: f64,
}

/// A key that is not in the database yet.
#[derive(Debug)]
pub struct NewSigningKey {
    pub purpose: Purpose,
    pub public: PublicKey,
    pub private: Sealed<SigningPrivateKey>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.2 and A.3.
    #[test]
    fn thumbprint_of_rfc_8037() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(x).unwrap();
        let key = PublicKey::from_bytes(bytes.try_into().unwrap());
        assert_eq!(
            key.kid().as_str(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
        assert_eq!(key.jwk(Purpose::JwtSigner)["x"], x);
    }

    #[test]
    fn a_key_is_read_for_its_purpose_under_its_own_name_only() {
        let key = PublicKey::from_bytes([7; 32]);
        let jwk = key.jwk(Purpose::JwtSigner);
        assert_eq!(PublicKey::from_jwk(&jwk, Purpose::JwtSigner), Some(key));
        assert_eq!(PublicKey::from_jwk(&jwk, Purpose::TerminalSigner), None);
        let other = PublicKey::from_bytes([8; 32]);
        for (name, value) in [
            ("kid", json!(other.kid())),
            ("kty", json!("EC")),
            ("crv", json!("X25519")),
            ("alg", json!("HS256")),
            ("use", json!("enc")),
            ("x", json!("")),
            ("d", json!("secret")),
        ] {
            let mut changed = jwk.clone();
            changed[name] = value;
            let read = PublicKey::from_jwk(&changed, Purpose::JwtSigner);
            assert_eq!(read, None, "{name}");
        }
    }

    #[test]
    fn names_are_strict() {
        let kid = PublicKey::from_bytes([7; 32]).kid();
        assert_eq!(kid.as_str().parse(), Ok(kid.clone()));
        assert_eq!(kid.as_str().len(), Kid::DIGITS);
        let long = format!("{kid}A");
        // The last digit has two bits that mean nothing; only one spelling is right.
        let loose = format!("{}9", "A".repeat(42));
        for bad in ["", "a", &long, &loose, &"=".repeat(43), &"é".repeat(43)] {
            assert_eq!(bad.parse::<Kid>(), Err(NotAKid), "{bad}");
        }
    }
}
