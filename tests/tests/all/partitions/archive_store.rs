//! What lies in the object store is believed only when all of it is what was written.

use std::path::{Path, PathBuf};

use activities::partition::Partitions;
use domain::data_growth::Guarded;
use serde_json::{Value, json};
use tests::Weed;
use time::macros::datetime;

use super::archive::{LATER, archives, content, of, outbox};
use super::year::names;
use tests::scratch::{Scratch, input};

const TABLE: Guarded = Guarded::OutboxEvents;

fn with(path: &Path, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let before = std::fs::read(path).expect("an object");
    std::fs::write(path, change(before.clone())).expect("our folder");
    before
}

type Change = Box<dyn FnOnce(Vec<u8>) -> Vec<u8>>;

/// The same file, without its last row.
fn one_row_less(file: Vec<u8>, columns: &Value) -> Vec<u8> {
    let columns: Vec<archive::Column> =
        serde_json::from_value(columns.clone()).expect("its columns");
    let reader = archive::Reader::new(bytes::Bytes::from(file), columns.clone());
    let mut rows = reader.expect("a file").rows().expect("rows").expect("some");
    rows.pop().expect("one");
    let mut writer = archive::Writer::new(Vec::new(), columns).expect("a file");
    for row in rows {
        writer.push(row).expect("a row");
    }
    writer.finish().expect("an end")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_dropped_or_brought_back_that_is_not_what_was_written() {
    let scratch = outbox().await;
    let steps = scratch.steps();
    let before = content(&scratch, TABLE).await;
    let archived = steps.archive_at(input(TABLE), Some(LATER)).await;
    archived.expect("an archive");
    let one = archives(&scratch).await.pop().expect("one");
    let file = scratch
        .dir
        .path()
        .join("objects/archives")
        .join(&one.object_path);
    let manifest = std::fs::read_dir(file.parent().expect("a folder")).expect("its objects");
    let manifest = manifest
        .map(|entry| entry.expect("an object").path())
        .find(|path| path.extension().is_some_and(|ending| ending == "json"))
        .expect("a manifest");
    let edit = |change: fn(&mut Value)| {
        move |text: Vec<u8>| {
            let mut manifest: Value = serde_json::from_slice(&text).expect("JSON");
            change(&mut manifest);
            manifest.to_string().into_bytes()
        }
    };
    let columns = one.manifest["columns"].clone();
    let flip = |at: usize| {
        move |mut bytes: Vec<u8>| {
            let at = at % bytes.len();
            bytes[at] ^= 1;
            bytes
        }
    };
    let changes: Vec<(&PathBuf, Change)> = vec![
        (&file, Box::new(flip(0))),
        (&file, Box::new(flip(101))),
        (&file, Box::new(flip(usize::MAX / 2))),
        (&file, Box::new(move |bytes| one_row_less(bytes, &columns))),
        (
            &file,
            Box::new(|mut bytes| bytes.split_off(bytes.len() / 2)),
        ),
        (&file, Box::new(|_| Vec::new())),
        (&manifest, Box::new(edit(|it| it["row_count"] = json!(1)))),
        (
            &manifest,
            Box::new(edit(|it| it["rows_sha256"] = it["file_sha256"].clone())),
        ),
        (
            &manifest,
            Box::new(edit(|it| it["kid"] = json!("A".repeat(43)))),
        ),
        (&manifest, Box::new(|_| b"{}".to_vec())),
        (&manifest, Box::new(|_| b"no JSON".to_vec())),
    ];
    for (number, (path, change)) in changes.into_iter().enumerate() {
        let whole = with(path, change);
        let read = steps.read_back(of(&one)).await.expect_err("another object");
        assert!(read.is_conflict(), "{number}: {read:?}");
        let dropped = steps.expire_at(input(TABLE), Some(LATER)).await;
        assert!(dropped.expect_err("not sound").is_conflict(), "{number}");
        assert_eq!(content(&scratch, TABLE).await, before, "{number}");
        std::fs::write(path, whole).expect("our folder");
    }
    // One that is not there is not tried for again.
    std::fs::rename(&file, file.with_extension("away")).expect("our folder");
    let read = steps.read_back(of(&one)).await.expect_err("no object");
    assert!(read.is_conflict(), "{read:?}");
    std::fs::rename(file.with_extension("away"), &file).expect("our folder");
    let gone = steps
        .expire_at(input(TABLE), Some(LATER))
        .await
        .expect("dropped");
    assert_eq!(gone.as_deref(), Some("outbox_events_first"));
    // The same when it lies nowhere else.
    let whole = with(&file, flip(7));
    let back = steps
        .bring_back(of(&one))
        .await
        .expect_err("another object");
    assert!(back.is_conflict(), "{back:?}");
    assert!(!names(&scratch.owner, TABLE).await.contains(&one.partition));
    std::fs::write(&file, whole).expect("our folder");
    steps.bring_back(of(&one)).await.expect("back");
}

/// Archiving is refused by a store that cannot take anything, for now; nothing leaves.
async fn nothing_leaves(scratch: &Scratch, steps: &Partitions) {
    let there = async || {
        (
            content(scratch, TABLE).await,
            names(&scratch.owner, TABLE).await,
        )
    };
    let before = there().await;
    let refused = steps.archive_at(input(TABLE), Some(LATER)).await;
    let refused = refused.expect_err("no place");
    assert!(!refused.is_conflict(), "it is tried again: {refused:?}");
    let why = format!("{refused:?}");
    assert!(why.contains("object storage"), "{why}");
    assert!(steps.expire_at(input(TABLE), Some(LATER)).await.is_err());
    assert_eq!(there().await, before);
    assert!(archives(scratch).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_written_to_leaves_the_partition_where_it_is() {
    let scratch = outbox().await;
    let steps = scratch.steps();
    // No folder can be made where a file is.
    let folder = scratch.dir.path().join("objects");
    std::fs::write(&folder, "in the way").expect("our folder");
    nothing_leaves(&scratch, &steps).await;
    std::fs::remove_file(&folder).expect("our folder");
    let archived = steps.archive_at(input(TABLE), Some(LATER)).await;
    assert!(archived.expect("an archive").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_full_leaves_the_partition_where_it_is() {
    let weed = Weed::full().await;
    let scratch = outbox().await;
    let steps = scratch.steps_with(&weed.settings(None));
    nothing_leaves(&scratch, &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_server_that_speaks_s3_will_do() {
    let weed = Weed::start().await;
    let scratch = outbox().await;
    let stranger = scratch.steps_with(&weed.settings(Some("another secret")));
    let refused = stranger.archive_at(input(TABLE), Some(LATER)).await;
    let refused = refused.expect_err("not let in");
    assert!(!refused.is_conflict(), "{refused:?}");
    let steps = scratch.steps_with(&weed.settings(None));
    let name = steps.archive_at(input(TABLE), Some(LATER)).await;
    assert_eq!(
        name.expect("an archive").as_deref(),
        Some("outbox_events_first")
    );
    let gone = steps.expire_at(input(TABLE), Some(LATER)).await;
    assert_eq!(
        gone.expect("dropped").as_deref(),
        Some("outbox_events_first")
    );
    let one = archives(&scratch).await.pop().expect("one");
    steps.read_back(of(&one)).await.expect("sound");
    steps.bring_back(of(&one)).await.expect("back");
    assert!(names(&scratch.owner, TABLE).await.contains(&one.partition));
}

/// The server goes away between the two steps: what was to be dropped stays, and people hear of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_takes_nothing_with_it() {
    let weed = Weed::start().await;
    let scratch = outbox().await;
    let steps = scratch.steps_with(&weed.settings(None));
    let archived = steps.archive_at(input(TABLE), Some(LATER)).await;
    assert!(archived.expect("an archive").is_some());
    let before = content(&scratch, TABLE).await;
    drop(weed);
    let refused = steps.expire_at(input(TABLE), Some(LATER)).await;
    let refused = refused.expect_err("nobody there");
    assert!(!refused.is_conflict(), "it is tried again: {refused:?}");
    assert!(
        format!("{refused:?}").contains("object storage"),
        "{refused:?}"
    );
    assert_eq!(content(&scratch, TABLE).await, before);
    let first = names(&scratch.owner, TABLE).await.remove(0);
    assert_eq!(first, "outbox_events_first");
    // What the gauge counts from.
    let mut conn = scratch.worker.acquire().await.expect("a connection");
    let ends = db::archive::oldest_ends(&mut conn).await.expect("ends");
    assert_eq!(ends, [(TABLE, datetime!(2027-05-01 0:00 UTC))]);
}

/// More than one part, and more than a piece of a stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_takes_large_objects_and_knows_the_last() {
    use domain::object_path::{Namespace, ObjectKey};
    use platform::objects::{ObjectError, Objects};
    let weed = Weed::start().await;
    let objects = Objects::open(&weed.settings(None)).expect("a bucket");
    let key = |name: &str| ObjectKey {
        namespace: Namespace::AuditHeads,
        path: name.parse().expect("a path"),
    };
    assert_eq!(
        objects.last(Namespace::AuditHeads).await.expect("a list"),
        None
    );
    let missing = objects.get_bytes(&key("0001"), 1).await;
    assert!(
        matches!(missing, Err(ObjectError::Missing(_))),
        "{missing:?}"
    );
    let large: Vec<u8> = (0..20_000_000u32).map(|at| (at % 251) as u8).collect();
    objects.put_bytes(&key("0002"), &large).await.expect("put");
    objects
        .put_bytes(&key("0001"), b"small")
        .await
        .expect("put");
    let back = objects
        .get_bytes(&key("0002"), 20_000_000)
        .await
        .expect("get");
    assert!(back == large);
    let larger = objects.get_bytes(&key("0002"), 10_000_000).await;
    assert!(matches!(larger, Err(ObjectError::TooLarge(_))));
    let last = objects.last(Namespace::AuditHeads).await.expect("a list");
    assert_eq!(last.expect("one").as_str(), "0002");
    assert_eq!(
        objects.last(Namespace::Archives).await.expect("a list"),
        None
    );
}
