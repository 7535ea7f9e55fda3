use zeroize::Zeroizing;

use super::*;

fn master(byte: u8) -> DataKey {
    DataKey::from_bytes(Zeroizing::new([byte; 32]))
}

fn version(number: u32) -> KeyVersion {
    KeyVersion::new(number).unwrap()
}

fn codec(namespace: &str, primary: u32, keys: &[(u32, u8)]) -> Codec {
    let keys = keys
        .iter()
        .map(|(n, byte)| (version(*n), master(*byte)))
        .collect();
    Codec::with(namespace, Masters::new(version(primary), keys).unwrap())
}

fn plain(data: &[u8]) -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: data.to_vec(),
        ..Payload::default()
    }
}

#[test]
fn what_was_sealed_opens_in_its_namespace_alone() {
    let codec_a = codec("a", 1, &[(1, 7)]);
    let sealed = codec_a.seal(&plain(b"\"alloc_1\"")).unwrap();
    assert_eq!(sealed.metadata["encoding"], ENCODING.as_bytes());
    assert!(!sealed.data.windows(7).any(|window| window == b"alloc_1"));
    // Another process with the same master.
    let twin = codec("a", 1, &[(1, 7)]);
    assert_eq!(twin.unseal(sealed.clone()).unwrap(), plain(b"\"alloc_1\""));
    let elsewhere = codec("b", 1, &[(1, 7)]).unseal(sealed.clone());
    assert_eq!(elsewhere, Err(Unreadable::Changed));
    let other_key = codec("a", 1, &[(1, 8)]).unseal(sealed.clone());
    assert_eq!(other_key, Err(Unreadable::Commitment));
    let without = codec("a", 2, &[(2, 8)]).unseal(sealed);
    assert_eq!(without, Err(Unreadable::KeyVersion));
}

#[test]
fn env_05_plain_payloads_of_earlier_runs_pass_through() {
    let codec = codec("a", 1, &[(1, 7)]);
    for payload in [plain(b"1"), Payload::default()] {
        assert_eq!(codec.unseal(payload.clone()).unwrap(), payload);
    }
}

#[test]
fn one_key_an_hour_and_a_nonce_each() {
    let codec = codec("a", 1, &[(1, 7)]);
    let (one, two) = (
        codec.seal(&plain(b"1")).unwrap(),
        codec.seal(&plain(b"1")).unwrap(),
    );
    assert_eq!(one.metadata["berth-salt"], two.metadata["berth-salt"]);
    assert_ne!(one.data, two.data);
    let long_ago = Instant::now().checked_sub(HOUR);
    lock(&codec.0.hour).as_mut().unwrap().0 = long_ago.unwrap();
    let later = codec.seal(&plain(b"1")).unwrap();
    assert_ne!(later.metadata["berth-salt"], one.metadata["berth-salt"]);
    assert_eq!(codec.unseal(one).unwrap(), plain(b"1"));
    // A newer version is used at once, and the older still opens.
    *codec.0.masters.write().unwrap() = Masters::new(
        version(2),
        [(version(1), master(7)), (version(2), master(9))].into(),
    )
    .unwrap();
    let newest = codec.seal(&plain(b"1")).unwrap();
    assert_eq!(newest.metadata["berth-key-version"], b"2");
    assert_eq!(codec.unseal(later).unwrap(), plain(b"1"));
}

#[test]
fn env_04_no_changed_payload_opens() {
    let codec = codec("a", 1, &[(1, 7)]);
    let sealed = codec.seal(&plain(b"\"x\"")).unwrap();
    for index in 0..sealed.data.len() {
        let mut changed = sealed.clone();
        changed.data[index] ^= 1;
        assert_eq!(codec.unseal(changed), Err(Unreadable::Changed), "{index}");
    }
    for name in [
        "berth-key",
        "berth-key-version",
        "berth-salt",
        "berth-commitment",
    ] {
        for index in 0..sealed.metadata[name].len() {
            let mut changed = sealed.clone();
            changed.metadata.get_mut(name).unwrap()[index] ^= 1;
            assert!(codec.unseal(changed).is_err(), "{name} {index}");
        }
        let mut without = sealed.clone();
        without.metadata.remove(name);
        assert_eq!(codec.unseal(without), Err(Unreadable::Malformed), "{name}");
    }
    let mut more = sealed.clone();
    more.metadata.insert("more".to_owned(), Vec::new());
    assert_eq!(codec.unseal(more), Err(Unreadable::Malformed));
    let mut short = sealed;
    short.data.truncate(11);
    assert_eq!(codec.unseal(short), Err(Unreadable::Malformed));
}

#[test]
fn payloads_are_found_wherever_they_are_in_a_document() {
    let codec = codec("a", 1, &[(1, 7)]);
    let document = serde_json::json!({
        "events": [{"input": {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}]}}],
        "metadata": {"name": "not one"},
    });
    let sealed = transcode(&document, &|payload| codec.seal(&payload)).unwrap();
    assert_ne!(sealed, document);
    assert_eq!(sealed["metadata"], document["metadata"]);
    assert_eq!(
        transcode(&sealed, &|payload| codec.unseal(payload)).unwrap(),
        document
    );
}
