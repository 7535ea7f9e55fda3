//! One sealed payload: metadata that leads to the key, and the whole of the other payload as
//! ciphertext.

use std::collections::{BTreeMap, HashMap};

use domain::envelope::{ALGORITHM, Binding, DataKey, KeyVersion, aead, hkdf_sha256};
use prost::Message as _;
use subtle::ConstantTimeEq as _;
use temporalio_common::protos::temporal::api::common::v1::Payload;
use zeroize::Zeroizing;

use super::LABEL;
use crate::kms::KeyName;

/// What says that a payload is sealed.
pub const ENCODING: &str = "binary/berth-envelope";

const KEY: &str = "berth-key";
const VERSION: &str = "berth-key-version";
const SALT: &str = "berth-salt";
const COMMITMENT: &str = "berth-commitment";

/// Why a payload was not sealed or not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the payload cannot be opened")]
    Malformed,
    #[error("the payload cannot be opened")]
    KeyVersion,
    #[error("the payload cannot be opened")]
    Commitment,
    #[error("the payload cannot be opened")]
    Changed,
    #[error("there is no randomness")]
    Randomness,
}

impl Unreadable {
    /// Stable label.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::KeyVersion => "key_version",
            Self::Commitment => "commitment",
            Self::Changed => "aad",
            Self::Randomness => "randomness",
        }
    }
}

/// The data key of one process and hour.
pub(super) struct Sealing {
    version: KeyVersion,
    salt: [u8; 16],
    key: Zeroizing<[u8; 32]>,
    commitment: [u8; 32],
}

impl Sealing {
    pub(super) fn new(version: KeyVersion, master: &DataKey, salt: [u8; 16]) -> Self {
        let info = [LABEL.as_bytes(), ALGORITHM.as_bytes()].concat();
        let mut okm = Zeroizing::new([0; 64]);
        hkdf_sha256(&salt, master.expose(), &info, okm.as_mut_slice())
            .unwrap_or_else(|_| unreachable!("64 bytes are fewer than 255 blocks"));
        let mut sealing = Self {
            version,
            salt,
            key: Zeroizing::new([0; 32]),
            commitment: [0; 32],
        };
        sealing.key.copy_from_slice(&okm[..32]);
        sealing.commitment.copy_from_slice(&okm[32..]);
        sealing
    }

    pub(super) fn version(&self) -> KeyVersion {
        self.version
    }

    pub(super) fn seal(&self, namespace: &str, nonce: [u8; 12], payload: &Payload) -> Payload {
        let plaintext = Zeroizing::new(payload.encode_to_vec());
        let aad = aad(namespace, self.version, &self.salt);
        let mut data = nonce.to_vec();
        data.extend(aead::seal(&self.key, &nonce, aad.as_bytes(), &plaintext));
        let metadata = [
            ("encoding", ENCODING.into()),
            (KEY, KeyName::Payload.as_str().into()),
            (VERSION, self.version.to_string().into_bytes()),
            (SALT, self.salt.to_vec()),
            (COMMITMENT, self.commitment.to_vec()),
        ];
        Payload {
            metadata: metadata
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            data,
            ..Payload::default()
        }
    }
}

/// What is authenticated beside the payload.
fn aad(namespace: &str, version: KeyVersion, salt: &[u8; 16]) -> Binding {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine as _};
    Binding::of(&[
        LABEL,
        ALGORITHM,
        namespace,
        KeyName::Payload.as_str(),
        &version.to_string(),
        &BASE64.encode(salt),
    ])
}

pub(super) fn is_sealed(payload: &Payload) -> bool {
    payload
        .metadata
        .get("encoding")
        .is_some_and(|encoding| encoding == ENCODING.as_bytes())
}

pub(super) fn open(
    namespace: &str,
    masters: &BTreeMap<KeyVersion, DataKey>,
    payload: &Payload,
) -> Result<Payload, Unreadable> {
    let metadata = &payload.metadata;
    if metadata.len() != 5 || member(metadata, KEY)? != KeyName::Payload.as_str().as_bytes() {
        return Err(Unreadable::Malformed);
    }
    let version: KeyVersion = std::str::from_utf8(member(metadata, VERSION)?)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Unreadable::Malformed)?;
    let salt = member(metadata, SALT)?
        .try_into()
        .map_err(|_| Unreadable::Malformed)?;
    let master = masters.get(&version).ok_or(Unreadable::KeyVersion)?;
    let sealing = Sealing::new(version, master, salt);
    if !bool::from(sealing.commitment.ct_eq(member(metadata, COMMITMENT)?)) {
        return Err(Unreadable::Commitment);
    }
    let (nonce, sealed) = payload
        .data
        .split_first_chunk()
        .ok_or(Unreadable::Malformed)?;
    let aad = aad(namespace, version, &salt);
    let opened = aead::open(&sealing.key, nonce, aad.as_bytes(), sealed);
    let opened = opened.ok_or(Unreadable::Changed)?;
    Payload::decode(opened.as_slice()).map_err(|_| Unreadable::Malformed)
}

fn member<'a>(metadata: &'a HashMap<String, Vec<u8>>, name: &str) -> Result<&'a [u8], Unreadable> {
    metadata
        .get(name)
        .map(Vec::as_slice)
        .ok_or(Unreadable::Malformed)
}
