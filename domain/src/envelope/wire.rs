//! The JSON object: exactly ten members, base64url without padding (RFC 4648, section 5).

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine as _};
use serde::Deserialize;
use serde_json::Value;

use super::{
    ALGORITHM, Envelope, KeyRef, MAX_EDK_BYTES, MAX_PLAINTEXT_BYTES, MAX_TEXT_BYTES, Refusal,
    VERSION, Wrapped, aead,
};

/// Unknown, missing and repeated members are refused by what serde derives.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u64,
    alg: String,
    kp: String,
    kid: String,
    kv: u32,
    mid: String,
    edk: String,
    n: String,
    cmt: String,
    ct: String,
}

/// What any version is told by.
#[derive(Deserialize)]
struct Marks {
    v: u64,
}

pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

fn exactly<const N: usize>(text: &str) -> Result<[u8; N], Refusal> {
    BASE64
        .decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(Refusal::Malformed)
}

fn between(text: &str, least: usize, most: usize) -> Result<Vec<u8>, Refusal> {
    BASE64
        .decode(text)
        .ok()
        .filter(|bytes| (least..=most).contains(&bytes.len()))
        .ok_or(Refusal::Malformed)
}

impl Envelope {
    /// Reads JSON text.
    pub fn from_text(text: &[u8]) -> Result<Self, Refusal> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(Refusal::Malformed);
        }
        match serde_json::from_slice::<Wire>(text) {
            Ok(wire) => Self::checked(&wire),
            Err(_) => Err(unreadable(serde_json::from_slice(text).ok().as_ref())),
        }
    }

    /// Reads what the database keeps; a JSON column has thrown repeated members away.
    pub fn from_json(value: &Value) -> Result<Self, Refusal> {
        match Wire::deserialize(value) {
            Ok(wire) => Self::checked(&wire),
            Err(_) => Err(unreadable(Marks::deserialize(value).ok().as_ref())),
        }
    }

    fn checked(wire: &Wire) -> Result<Self, Refusal> {
        if wire.v != VERSION {
            return Err(Refusal::Version);
        }
        if wire.alg != ALGORITHM {
            return Err(Refusal::Algorithm);
        }
        let key = KeyRef {
            provider: wire.kp.parse().map_err(|_| Refusal::Key)?,
            id: wire.kid.parse().map_err(|_| Refusal::Malformed)?,
            version: wire.kv.try_into().map_err(|_| Refusal::Malformed)?,
        };
        Ok(Self {
            wrapped: Wrapped {
                key,
                edk: between(&wire.edk, 1, MAX_EDK_BYTES)?,
            },
            mid: exactly(&wire.mid)?,
            nonce: exactly(&wire.n)?,
            commitment: exactly(&wire.cmt)?,
            ciphertext: between(
                &wire.ct,
                aead::TAG_BYTES,
                MAX_PLAINTEXT_BYTES + aead::TAG_BYTES,
            )?,
        })
    }

    /// The canonical object.
    pub fn to_json(&self) -> Value {
        let key = self.key();
        let text = |bytes: &[u8]| Value::String(encode(bytes));
        serde_json::json!({
            "v": VERSION,
            "alg": ALGORITHM,
            "kp": key.provider.to_string(),
            "kid": key.id.as_str(),
            "kv": key.version.get(),
            "mid": text(&self.mid),
            "edk": text(self.edk()),
            "n": text(&self.nonce),
            "cmt": text(&self.commitment),
            "ct": text(&self.ciphertext),
        })
    }
}

/// A later version may have other members: it is told apart from what is no envelope.
fn unreadable(marks: Option<&Marks>) -> Refusal {
    match marks {
        Some(Marks { v }) if *v != VERSION => Refusal::Version,
        _ => Refusal::Malformed,
    }
}
