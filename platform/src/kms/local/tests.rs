use std::fs;
use std::path::PathBuf;

use super::*;

fn kms() -> (tempfile::TempDir, PathBuf, LocalKms) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    let kms = LocalKms::open(Keyring::open_or_create(&path).unwrap()).unwrap();
    (directory, path, kms)
}

fn key() -> DataKey {
    DataKey::from_bytes(Zeroizing::new([5; 32]))
}

fn binding(row: &str) -> Binding {
    Binding::of(&["berth", "org", "table", "column", row])
}

#[test]
fn a_wrapped_key_opens_for_its_binding_alone() {
    let (_directory, path, kms) = kms();
    let wrapped = kms.wrap(KeyName::Columns, &key(), &binding("1")).unwrap();
    // Another role of the same host.
    let twin = LocalKms::open(Keyring::open_or_create(&path).unwrap()).unwrap();
    let unwrap = |key: &KeyRef, row| twin.unwrap(key, &wrapped.edk, &binding(row));
    assert_eq!(unwrap(&wrapped.key, "1").unwrap().expose(), key().expose());
    assert!(matches!(unwrap(&wrapped.key, "2"), Err(KmsError::Refused)));
    let mut other = wrapped.key.clone();
    other.id = "payload".parse().unwrap();
    assert!(matches!(unwrap(&other, "1"), Err(KmsError::Refused)));
    other.id = "cp-other".parse().unwrap();
    assert!(matches!(unwrap(&other, "1"), Err(KmsError::UnknownKey)));
    other = wrapped.key.clone();
    other.version = NonZeroU32::new(2).unwrap();
    assert!(matches!(unwrap(&other, "1"), Err(KmsError::UnknownVersion)));
    other = wrapped.key.clone();
    other.provider = Provider::Transit;
    assert!(matches!(unwrap(&other, "1"), Err(KmsError::UnknownKey)));
}

#[test]
fn a_newer_version_is_read_when_it_is_met() {
    let (_directory, path, kms) = kms();
    let old = kms.wrap(KeyName::Columns, &key(), &binding("1")).unwrap();
    let file = path.join("cp-main.keyset.json");
    let mut keyset: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let mut newer = keyset["keys"][0].clone();
    newer["version"] = 2.into();
    keyset["keys"].as_array_mut().unwrap().push(newer);
    keyset["primary"] = 2.into();
    fs::write(&file, keyset.to_string()).unwrap();
    let twin = LocalKms::open(Keyring::open_or_create(&path).unwrap()).unwrap();
    let new = twin.wrap(KeyName::Columns, &key(), &binding("1")).unwrap();
    assert_eq!(new.key.version.get(), 2);
    for wrapped in [&old, &new] {
        assert!(
            kms.unwrap(&wrapped.key, &wrapped.edk, &binding("1"))
                .is_ok()
        );
    }
}

#[test]
fn env_12_a_version_that_has_wrapped_too_often_wraps_no_more() {
    let (_directory, path, kms) = kms();
    let wrapped = kms.wrap(KeyName::Columns, &key(), &binding("1")).unwrap();
    let counter = path.join("cp-main.v1.wraps");
    assert_eq!(fs::read_to_string(&counter).unwrap(), BLOCK.to_string());
    // A second role counts on from there.
    let open = || LocalKms::open(Keyring::open_or_create(&path).unwrap()).unwrap();
    open()
        .wrap(KeyName::Columns, &key(), &binding("1"))
        .unwrap();
    assert_eq!(
        fs::read_to_string(&counter).unwrap(),
        (2 * BLOCK).to_string()
    );
    // A block is counted once.
    for _ in 0..1000 {
        kms.wrap(KeyName::Columns, &key(), &binding("1")).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&counter).unwrap(),
        (2 * BLOCK).to_string()
    );

    fs::write(&counter, (REFUSE_AT - BLOCK).to_string()).unwrap();
    let last = open();
    last.wrap(KeyName::Columns, &key(), &binding("1")).unwrap();
    let full = open();
    let refused = full.wrap(KeyName::Columns, &key(), &binding("1"));
    assert!(matches!(refused, Err(KmsError::Exhausted)), "{refused:?}");
    // What is there can still be read, and other keys still wrap.
    assert!(
        full.unwrap(&wrapped.key, &wrapped.edk, &binding("1"))
            .is_ok()
    );
    assert!(full.wrap(KeyName::Payload, &key(), &binding("1")).is_ok());
    // A counter that cannot be read counts as full.
    fs::write(&counter, "many").unwrap();
    let unreadable = open().wrap(KeyName::Columns, &key(), &binding("1"));
    assert!(matches!(unreadable, Err(KmsError::Unavailable(_))));
}

#[test]
fn a_damaged_keyset_stops_the_start() {
    let (_directory, path, _kms) = kms();
    fs::write(path.join("payload.keyset.json"), "{}").unwrap();
    let opened = LocalKms::open(Keyring::open_or_create(&path).unwrap());
    assert!(matches!(opened, Err(KeyringError::Content(_))));
}
