//! The published keys: a JWK set (RFC 7517, section 5).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::signing_key::{Kid, PublicKey, Purpose, SigningKey};
use domain::state::SigningKeyState;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The set as text, the same for the same keys, and its entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub json: String,
    pub etag: String,
}

impl Published {
    /// Keys that sign, signed, or will; never one that was revoked.
    pub(super) fn of(keys: &[SigningKey]) -> Self {
        let keys: Vec<Value> = keys
            .iter()
            .filter(|key| key.state != SigningKeyState::Revoked)
            .map(|key| key.public.jwk(key.purpose))
            .collect();
        let json = json!({ "keys": keys }).to_string();
        let digest = Sha256::digest(&json);
        let etag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&digest[..16]));
        Self { json, etag }
    }
}

/// Finds a key by its name and purpose in a set that was published.
pub fn published_key(set: &Value, kid: &Kid, purpose: Purpose) -> Option<PublicKey> {
    let keys = set["keys"].as_array()?.iter();
    keys.filter_map(|jwk| PublicKey::from_jwk(jwk, purpose))
        .find(|key| key.kid() == *kid)
}
