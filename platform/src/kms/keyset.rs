//! The file of one wrapping key: its versions, and which of them wraps.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

/// `{"primary": 2, "keys": [{"version": 1, "key": "<32 bytes, base64>"}, …]}`
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    primary: NonZeroU32,
    keys: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    version: NonZeroU32,
    key: String,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// A wrapping key with its versions.
pub(super) struct Keyset {
    pub(super) primary: NonZeroU32,
    keys: BTreeMap<NonZeroU32, Zeroizing<[u8; 32]>>,
}

impl Keyset {
    /// None for anything but a whole keyset: versions once each, 32 bytes each, the primary among
    /// them.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let file: File = serde_json::from_str(text).ok()?;
        let mut keys = BTreeMap::new();
        for entry in &file.keys {
            let bytes = Zeroizing::new(BASE64_STANDARD.decode(&entry.key).ok()?);
            let key = Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).ok()?);
            if keys.insert(entry.version, key).is_some() {
                return None;
            }
        }
        keys.contains_key(&file.primary).then_some(Self {
            primary: file.primary,
            keys,
        })
    }

    /// A keyset with one version, as text.
    pub(super) fn first(key: &[u8; 32]) -> Zeroizing<String> {
        let file = File {
            primary: NonZeroU32::MIN,
            keys: vec![Entry {
                version: NonZeroU32::MIN,
                key: BASE64_STANDARD.encode(key),
            }],
        };
        Zeroizing::new(serde_json::to_string(&file).unwrap_or_default())
    }

    pub(super) fn version(&self, version: NonZeroU32) -> Option<&[u8; 32]> {
        self.keys.get(&version).map(|key| &**key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_keyset_is_one() {
        let key = BASE64_STANDARD.encode([1; 32]);
        let good = format!(
            r#"{{"primary":2,"keys":[{{"version":1,"key":"{key}"}},{{"version":2,"key":"{key}"}}]}}"#
        );
        assert_eq!(Keyset::parse(&good).unwrap().primary.get(), 2);
        assert!(Keyset::parse(&Keyset::first(&[1; 32])).is_some());
        for bad in [
            good.replace(r#""primary":2"#, r#""primary":3"#),
            good.replace(r#""version":2"#, r#""version":1"#),
            good.replace(r#""version":1"#, r#""version":0"#),
            good.replace(&key, "AAAA"),
            good.replace("keys", "key"),
            String::new(),
        ] {
            assert!(Keyset::parse(&bad).is_none(), "{bad}");
        }
    }
}
