use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::column::{self, SchedulerRequest};
use super::*;
use crate::id::{AllocationId, OrgId};
use uuid::Uuid;

pub(super) fn data_key(byte: u8) -> DataKey {
    DataKey::from_bytes(Zeroizing::new([byte; 32]))
}

pub(super) fn place(org: u128, row: u128) -> EncCtx<SchedulerRequest> {
    let org = OrgId::from_uuid(Uuid::from_u128(org));
    EncCtx::new(
        Owner::Organization(org),
        &AllocationId::from_uuid(Uuid::from_u128(row)),
    )
}

pub(super) fn wrapped() -> Wrapped {
    Wrapped {
        key: KeyRef {
            provider: Provider::Local,
            id: "cp-main".parse().unwrap(),
            version: KeyVersion::MIN,
        },
        edk: vec![7; 60],
    }
}

pub(super) fn sealed(plaintext: &[u8]) -> Sealed<SchedulerRequest> {
    let fresh = Fresh {
        mid: [1; 16],
        nonce: [2; 12],
    };
    Sealed::seal(&place(1, 2), &data_key(3), wrapped(), fresh, plaintext).unwrap()
}

fn envelope(plaintext: &[u8]) -> Envelope {
    Stored::from(&sealed(plaintext)).envelope().unwrap()
}

/// `signing_keys.private_key_enc` read as if it were the scheduler's column, and the like.
#[derive(Debug)]
enum OtherColumn {}
impl Column for OtherColumn {
    type Row = AllocationId;
    const TABLE: &'static str = SchedulerRequest::TABLE;
    const COLUMN: &'static str = "other_enc";
}
#[derive(Debug)]
enum OtherTable {}
impl Column for OtherTable {
    type Row = AllocationId;
    const TABLE: &'static str = "other";
    const COLUMN: &'static str = SchedulerRequest::COLUMN;
}

fn at<C: Column<Row = AllocationId>>() -> EncCtx<C> {
    let org = OrgId::from_uuid(Uuid::from_u128(1));
    EncCtx::new(
        Owner::Organization(org),
        &AllocationId::from_uuid(Uuid::from_u128(2)),
    )
}

#[test]
fn what_was_sealed_opens_at_its_place() {
    for length in [0, 1, MAX_PLAINTEXT_BYTES] {
        let plaintext = vec![9; length];
        let opened = envelope(&plaintext)
            .open(&place(1, 2), &data_key(3))
            .unwrap();
        assert_eq!(opened.expose_secret(), plaintext);
    }
    let long = vec![0; MAX_PLAINTEXT_BYTES + 1];
    let fresh = Fresh {
        mid: [1; 16],
        nonce: [2; 12],
    };
    assert!(Sealed::seal(&place(1, 2), &data_key(3), wrapped(), fresh, &long).is_err());
}

#[test]
fn env_03_no_other_place_opens() {
    let envelope = envelope(b"secret");
    let refused = |result: Result<_, Refusal>| assert_eq!(result.err(), Some(Refusal::Place));
    refused(envelope.open(&place(9, 2), &data_key(3)));
    refused(envelope.open(&place(1, 9), &data_key(3)));
    refused(envelope.open(&at::<OtherColumn>(), &data_key(3)));
    refused(envelope.open(&at::<OtherTable>(), &data_key(3)));
    assert!(
        envelope
            .open(&at::<SchedulerRequest>(), &data_key(3))
            .is_ok()
    );
    // Another mid changes both keys, so the commitment is what refuses; another suite is not read.
    let mut moved = envelope.clone();
    moved.mid = [4; 16];
    let opened = moved.open(&place(1, 2), &data_key(3));
    assert_eq!(opened.err(), Some(Refusal::Commitment));
    let mut other = envelope.to_json();
    other["alg"] = "A256GCM".into();
    assert_eq!(Envelope::from_json(&other).err(), Some(Refusal::Algorithm));
}

#[test]
fn env_04_no_flipped_bit_opens() {
    let whole = envelope(b"secret");
    let json = whole.to_json();
    let mut flipped = 0;
    for (name, value) in json.as_object().unwrap() {
        let text = value.to_string();
        for index in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[index] ^= 1 << bit;
                let Ok(changed) = serde_json::from_slice(&bytes) else {
                    continue;
                };
                let mut json = json.clone();
                json[name] = changed;
                flipped += 1;
                let Ok(read) = Envelope::from_json(&json) else {
                    continue;
                };
                // The wrapping is the KMS's to judge: `kp`, `kid`, `kv` and `edk` lead to another
                // data key or to none.
                let key = data_key(if ["kp", "kid", "kv", "edk"].contains(&name.as_str()) {
                    assert_ne!(read.wrapped, whole.wrapped, "{name}");
                    4
                } else {
                    3
                });
                let refusal = read.open(&place(1, 2), &key).unwrap_err();
                assert_eq!(refusal.to_string(), "the sealed value cannot be opened");
            }
        }
    }
    assert!(flipped > 1000, "{flipped} changes were tried");
}

#[test]
fn env_04_bad_forms_are_refused() {
    let good = envelope(b"secret").to_json();
    let with = |name: &str, value: serde_json::Value| {
        let mut json = good.clone();
        json[name] = value;
        Envelope::from_json(&json).unwrap_err()
    };
    let text = |length: usize| wire::encode(&vec![0; length]).into();
    assert_eq!(with("v", 2.into()), Refusal::Version);
    assert_eq!(with("v", "1".into()), Refusal::Malformed);
    assert_eq!(with("v", (1.5).into()), Refusal::Malformed);
    assert_eq!(with("kp", "awskms".into()), Refusal::Key);
    assert_eq!(with("kid", "../key".into()), Refusal::Malformed);
    assert_eq!(with("kv", 0.into()), Refusal::Malformed);
    assert_eq!(with("kv", (1_u64 << 32).into()), Refusal::Malformed);
    assert_eq!(with("edk", text(4097)), Refusal::Malformed);
    assert_eq!(with("edk", "".into()), Refusal::Malformed);
    assert_eq!(with("n", text(13)), Refusal::Malformed);
    assert_eq!(
        with("mid", "AAAAAAAAAAAAAAAAAAAAAA==".into()),
        Refusal::Malformed
    );
    // The last letter carries bits beyond the last byte.
    assert_eq!(
        with("mid", "AAAAAAAAAAAAAAAAAAAAAB".into()),
        Refusal::Malformed
    );
    assert_eq!(
        with("mid", "AAAAAAAAAAA+AAAAAAAAAA".into()),
        Refusal::Malformed
    );
    assert_eq!(with("ct", text(15)), Refusal::Malformed);
    assert_eq!(
        with("ct", text(MAX_PLAINTEXT_BYTES + 17)),
        Refusal::Malformed
    );
    assert_eq!(with("more", 1.into()), Refusal::Malformed);
    // A later version may look as it likes.
    let later = serde_json::json!({"v": 2, "suite": 7});
    assert_eq!(Envelope::from_json(&later).err(), Some(Refusal::Version));
    for name in good.as_object().unwrap().keys() {
        let mut json = good.clone();
        json.as_object_mut().unwrap().remove(name);
        assert_eq!(
            Envelope::from_json(&json).err(),
            Some(Refusal::Malformed),
            "{name}"
        );
        let twice = good
            .to_string()
            .replacen('{', &format!("{{\"{name}\":{},", good[name]), 1);
        assert_eq!(
            Envelope::from_text(twice.as_bytes()).err(),
            Some(Refusal::Malformed),
            "{name}"
        );
    }
    assert!(Envelope::from_text(good.to_string().as_bytes()).is_ok());
    assert!(Envelope::from_text(&vec![b' '; MAX_TEXT_BYTES + 1]).is_err());
}

#[test]
fn env_06_the_commitment_is_compared_before_the_cipher_is_called() {
    let (first, second) = (envelope(b"secret"), envelope(b"secret"));
    let calls = std::cell::Cell::new(0);
    let count = |key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], sealed: &[u8]| {
        calls.set(calls.get() + 1);
        aead::open(key, nonce, aad, sealed)
    };
    // The data key of another envelope, and somebody who tries all the keys there are.
    for key in [data_key(4), data_key(5)] {
        let opened = first.open_with(&place(1, 2), &key, count);
        assert_eq!(opened.err(), Some(Refusal::Commitment));
    }
    let mut swapped = second.clone();
    swapped.commitment = split::split(&data_key(4), &second.mid).commitment;
    let opened = swapped.open_with(&place(1, 2), &data_key(3), count);
    assert_eq!(opened.err(), Some(Refusal::Commitment));
    assert_eq!(calls.get(), 0);
    assert!(first.open_with(&place(1, 2), &data_key(3), count).is_ok());
    assert_eq!(calls.get(), 1);
}

#[test]
fn only_the_key_is_shown() {
    let shown = format!(
        "{:?} {:?}",
        sealed(b"secret"),
        Stored::from(&sealed(b"secret"))
    );
    let wanted =
        "Envelope { v: 1, alg: A256GCMSIV-HKDF-CMT, kp: local, kid: cp-main, kv: 1 } Stored";
    assert_eq!(shown, wanted);
}

#[test]
fn columns_are_named_once() {
    let names: std::collections::BTreeSet<_> = column::ALL.iter().collect();
    assert_eq!(names.len(), column::ALL.len());
    assert!(
        column::ALL
            .iter()
            .all(|(_, column)| column.ends_with("_enc"))
    );
}
