//! The compact form of a signed token (RFC 7515, section 7.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Algorithm, Key, KeySet, Reject, json};

/// The largest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 8 << 10;
const MAX_KEY_ID_CHARS: usize = 128;
/// Members by which a token would bring or name its own key, or change how it is read.
const REFUSED_MEMBERS: [&str; 7] = ["jku", "x5u", "x5c", "jwk", "zip", "b64", "crit"];

/// A token's three parts, decoded, and nothing of it believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compact<'a> {
    pub header: Header,
    pub payload: Vec<u8>,
    /// What the signature is over: the first two parts as they came.
    pub signed: &'a str,
    pub signature: Vec<u8>,
}

/// The members of the header that we read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub algorithm: String,
    pub key_id: Option<String>,
    pub token_type: Option<String>,
}

impl<'a> Compact<'a> {
    pub fn parse(text: &'a str) -> Result<Self, Reject> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(Reject::TooLarge);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Reject::Segments)?;
        let (header, payload) = signed.split_once('.').ok_or(Reject::Segments)?;
        if payload.contains('.') {
            return Err(Reject::Segments);
        }
        let [header, payload, signature] = [header, payload, signature].map(decode);
        let (header, payload, signature) = (header?, payload?, signature?);
        Ok(Self {
            header: Header::read(&header)?,
            payload,
            signed,
            signature,
        })
    }

    /// The key that must have signed it. `allowed`: the issuer's algorithms.
    pub fn key<'k>(&self, keys: &'k KeySet, allowed: &[Algorithm]) -> Result<&'k Key, Reject> {
        let (algorithm, key_id) = self.names(allowed)?;
        let key = keys.get(key_id).ok_or(Reject::UnknownKey)?;
        if key.algorithm != algorithm {
            return Err(Reject::Algorithm);
        }
        Ok(key)
    }

    /// Algorithm and key as the header names them, if the issuer could have used them.
    pub fn names(&self, allowed: &[Algorithm]) -> Result<(Algorithm, &str), Reject> {
        let algorithm = self.header.algorithm.parse().ok();
        let algorithm = algorithm.filter(|algorithm| allowed.contains(algorithm));
        let algorithm = algorithm.ok_or(Reject::Algorithm)?;
        let key_id = self.header.key_id.as_deref().ok_or(Reject::KeyId)?;
        Ok((algorithm, key_id))
    }
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, Reject> {
        let mut members = json::object(bytes).ok_or(Reject::HeaderJson)?;
        if REFUSED_MEMBERS
            .iter()
            .any(|name| members.contains_key(*name))
        {
            return Err(Reject::HeaderMember);
        }
        let key_id = text(&mut members, "kid").map_err(|()| Reject::KeyId)?;
        if key_id.as_deref().is_some_and(|id| !is_key_id(id)) {
            return Err(Reject::KeyId);
        }
        Ok(Self {
            algorithm: text(&mut members, "alg")
                .ok()
                .flatten()
                .ok_or(Reject::Algorithm)?,
            key_id,
            token_type: text(&mut members, "typ").map_err(|()| Reject::Type)?,
        })
    }
}

/// From 1 to 128 characters, none of which is a control.
pub(super) fn is_key_id(text: &str) -> bool {
    (1..=MAX_KEY_ID_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// A member that is text or absent.
pub(super) fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, ()> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(()),
    }
}

/// The alphabet of RFC 4648, section 5, without padding; bits that no byte uses must be zero.
fn decode(part: &str) -> Result<Vec<u8>, Reject> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Reject::Base64)
}
