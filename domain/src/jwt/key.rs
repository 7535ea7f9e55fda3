//! The keys that an issuer publishes (RFC 7517, RFC 8037), as far as they can sign tokens.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::compact::is_key_id;
use super::{json, roca};

/// More keys than this is no set that somebody signs with.
const MAX_KEYS: usize = 100;
const MIN_RSA_BITS: usize = 2048;
const MAX_RSA_BITS: usize = 8192;

/// Signature algorithms that can be allowed (RFC 7518, RFC 8037). Those with a shared secret and
/// `none` have no name here.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
pub enum Algorithm {
    ES256,
    ES384,
    EdDSA,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
}

/// A public key, its numbers big-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// Modulus and exponent, without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point (SEC 1): 4, x, y.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// One key for one algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: String,
    pub algorithm: Algorithm,
    pub material: Material,
}

/// What a `jwks_uri` answers. Keys that cannot sign tokens are left out; a key id that stands
/// twice names neither key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: BTreeMap<String, Key>,
    /// Entries that were left out.
    pub skipped: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    #[error("not a JSON object without duplicate members")]
    Json,
    #[error("no list `keys`, or one with more than {MAX_KEYS} entries")]
    Keys,
}

impl KeySet {
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        let members = json::object(bytes).ok_or(KeySetError::Json)?;
        let entries = members.get("keys").and_then(Value::as_array);
        let entries = entries.filter(|entries| entries.len() <= MAX_KEYS);
        let entries = entries.ok_or(KeySetError::Keys)?;
        let mut seen = BTreeSet::new();
        let mut twice = BTreeSet::new();
        for id in entries.iter().filter_map(|entry| entry["kid"].as_str()) {
            if !seen.insert(id) {
                twice.insert(id);
            }
        }
        let keys: BTreeMap<_, _> = entries
            .iter()
            .filter_map(|entry| Key::read(entry.as_object()?))
            .filter(|key| !twice.contains(key.id.as_str()))
            .map(|key| (key.id.clone(), key))
            .collect();
        let skipped = entries.len() - keys.len();
        Ok(Self { keys, skipped })
    }

    pub fn get(&self, id: &str) -> Option<&Key> {
        self.keys.get(id)
    }

    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl Key {
    /// `None`: nothing that could sign a token for us. A private key that somebody published is
    /// everybody's and signs nothing.
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let id = text("kid").filter(|id| is_key_id(id))?;
        let private = ["d", "p", "q", "k"]
            .iter()
            .any(|name| jwk.contains_key(*name));
        if text("use") != Some("sig") || private {
            return None;
        }
        let (material, kind) = Material::read(text)?;
        let algorithm = match jwk.get("alg") {
            // What OpenID Connect means where nobody says; curves mean one algorithm each.
            None => *kind.first()?,
            Some(named) => named.as_str()?.parse().ok()?,
        };
        kind.contains(&algorithm).then(|| Self {
            id: id.to_owned(),
            algorithm,
            material,
        })
    }
}

impl Material {
    /// The key and what it can be for, the usual algorithm first.
    fn read<'a>(text: impl Fn(&str) -> Option<&'a str>) -> Option<(Self, &'static [Algorithm])> {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let sized = |name: &str, size: usize| bytes(name).filter(|bytes| bytes.len() == size);
        let point = |size: usize| Some([vec![4], sized("x", size)?, sized("y", size)?].concat());
        match (text("kty")?, text("crv")) {
            ("EC", Some("P-256")) => Some((Self::P256(point(32)?), &[ES256])),
            ("EC", Some("P-384")) => Some((Self::P384(point(48)?), &[ES384])),
            ("OKP", Some("Ed25519")) => Some((Self::Ed25519(sized("x", 32)?), &[EdDSA])),
            ("RSA", None) => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                let sound = is_sound_modulus(&n) && e.first().is_some_and(|byte| *byte != 0);
                let kind = &[RS256, RS384, RS512, PS256, PS384, PS512];
                sound.then_some((Self::Rsa { n, e }, kind))
            }
            _ => None,
        }
    }
}

fn is_sound_modulus(n: &[u8]) -> bool {
    let leading = n.first().map_or(8, |byte| byte.leading_zeros() as usize);
    let bits = (n.len() * 8).saturating_sub(leading);
    leading < 8 && (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) && !roca::is_weak(n)
}
