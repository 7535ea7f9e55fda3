//! Vectors of others, and the golden ones that must open for ever.

use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::column::SchedulerRequest;
use super::*;

macro_rules! vectors {
    ($path:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../vectors/", $path))).unwrap()
    };
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().as_bytes();
    text.chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

fn tests(file: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let groups = file["testGroups"].as_array().unwrap().iter();
    groups.flat_map(|group| {
        group["tests"]
            .as_array()
            .unwrap()
            .iter()
            .map(move |t| (group, t))
    })
}

/// What our seam says to a sealed text; 128-bit keys, which it does not take, go to the crate.
fn open(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let nonce = nonce.try_into().ok()?;
    match key.try_into() {
        Ok(key) => aead::open(key, nonce, aad, sealed),
        Err(_) => aead::open_128(key.try_into().unwrap(), nonce, aad, sealed),
    }
}

#[test]
fn env_01_wycheproof_aes_gcm_siv() {
    let file = vectors!("wycheproof/aes_gcm_siv_test.json");
    let (mut passed, mut of_the_rfc) = (0, 0);
    for (group, test) in tests(&file) {
        let [key, nonce, aad, text, ciphertext, tag] =
            ["key", "iv", "aad", "msg", "ct", "tag"].map(|name| hex(&test[name]));
        let sealed = [ciphertext, tag].concat();
        let opened = open(&key, &nonce, &aad, &sealed);
        let id = &test["tcId"];
        if test["result"] == "valid" {
            assert_eq!(opened.as_deref(), Some(&text), "{id}");
            if group["keySize"] == 256 {
                let (key, nonce) = (key.try_into().unwrap(), nonce.try_into().unwrap());
                assert_eq!(aead::seal(&key, &nonce, &aad, &text), sealed, "{id}");
                of_the_rfc += usize::from(test["comment"].as_str().unwrap().contains("RFC 8452"));
            }
        } else {
            assert_eq!(opened, None, "{id} is accepted");
        }
        passed += 1;
    }
    assert_eq!(passed, 202);
    // RFC 8452, C.2 and C.3.
    assert!(of_the_rfc >= 20, "{of_the_rfc} of the RFC");
}

#[test]
fn env_01_wycheproof_hkdf() {
    let file = vectors!("wycheproof/hkdf_sha256_test.json");
    let mut passed = 0;
    for (_, test) in tests(&file) {
        let [key, salt, info] = ["ikm", "salt", "info"].map(|name| hex(&test[name]));
        let size = usize::try_from(test["size"].as_u64().unwrap()).unwrap();
        let mut okm = vec![0; size];
        let done = hkdf_sha256(&salt, &key, &info, &mut okm);
        let id = &test["tcId"];
        assert_eq!(done.is_ok(), test["result"] == "valid", "{id}");
        if done.is_ok() {
            assert_eq!(okm, hex(&test["okm"]), "{id}");
        }
        passed += 1;
    }
    assert_eq!(passed, 86);
}

#[derive(Deserialize)]
struct Golden {
    organization: String,
    row: String,
    #[serde(flatten)]
    rest: Value,
}

/// ENV-05: what was sealed by version 1 opens, and is what another implementation makes.
#[test]
fn env_05_golden_envelopes_open() {
    let file = vectors!("golden/envelope_v1.json");
    let all: Vec<Golden> = serde_json::from_value(file["envelopes"].clone()).unwrap();
    assert_eq!(all.len(), 4);
    for Golden {
        organization,
        row,
        rest,
    } in all
    {
        let owner = Owner::Organization(organization.parse().unwrap());
        let at: EncCtx<SchedulerRequest> = EncCtx::new(owner, &row.parse().unwrap());
        let [plaintext, kek, dek, binding, okm] =
            ["plaintext", "kek", "dek", "binding", "okm"].map(|n| hex(&rest[format!("{n}_hex")]));
        let golden = Envelope::from_json(&rest["envelope"]).unwrap();
        assert_eq!(golden.to_json(), rest["envelope"]);
        assert_eq!(at.binding().as_bytes(), binding);
        assert_eq!(at.payload_aad(&golden.mid), hex(&rest["aad_hex"]));
        let (nonce, wrapped) = golden.edk().split_first_chunk().unwrap();
        let unwrapped = aead::open(&kek.try_into().unwrap(), nonce, &binding, wrapped).unwrap();
        assert_eq!(*unwrapped, dek);
        let key = DataKey::from_bytes(Zeroizing::new(dek.try_into().unwrap()));
        let split = split::split(&key, &golden.mid);
        assert_eq!([*split.cipher_key, split.commitment].concat(), okm);
        assert_eq!(golden.open(&at, &key).unwrap().expose_secret(), plaintext);
        let fresh = Fresh {
            mid: golden.mid,
            nonce: golden.nonce,
        };
        let ours = Sealed::seal(&at, &key, golden.wrapped.clone(), fresh, &plaintext).unwrap();
        assert_eq!(ours.to_json(), rest["envelope"]);
    }
}

/// Bytes that look random and are the same everywhere, as in `vectors/make.py`.
fn stream(name: &str, number: usize, length: usize) -> Vec<u8> {
    (0..length.div_ceil(32))
        .flat_map(|block| Sha256::digest(format!("berth/vectors/{name}/{number}/{block}")))
        .take(length)
        .collect()
}

/// ENV-02: 10,000 sealings are those of another implementation (its digest is committed), and
/// each opens again.
#[test]
fn env_02_another_implementation_seals_alike() {
    let wanted = &vectors!("golden/envelope_v1.json")["differential"];
    let mut digest = Sha256::new();
    let cases = usize::try_from(wanted["cases"].as_u64().unwrap()).unwrap();
    for number in 0..cases {
        let key = stream("key", number, 32).try_into().unwrap();
        let nonce = stream("nonce", number, 12).try_into().unwrap();
        let aad = stream("aad", number, number % 65);
        let text = stream("text", number, number * 7 % 513);
        let sealed = aead::seal(&key, &nonce, &aad, &text);
        assert_eq!(
            aead::open(&key, &nonce, &aad, &sealed).as_deref(),
            Some(&text)
        );
        digest.update(&sealed);
    }
    assert!(cases >= 10_000);
    assert_eq!(digest.finalize().to_vec(), hex(&wanted["sha256"]));
}
