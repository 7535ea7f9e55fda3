use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

fn key(path: &str) -> ObjectKey {
    ObjectKey {
        namespace: Namespace::Archives,
        path: path.parse().expect("a path"),
    }
}

fn objects(root: &Path) -> Objects {
    Objects::open(&ObjectSettings::Folder(root.join("objects"))).expect("a folder")
}

#[tokio::test]
async fn what_is_put_is_what_is_there() {
    let root = tempfile::tempdir().expect("a folder");
    let objects = objects(root.path());
    let (one, other) = (key("table/one.parquet"), key("other"));
    let missing = objects.get_bytes(&one, 10).await;
    assert!(matches!(missing, Err(ObjectError::Missing(key)) if key == one));
    for text in ["first", "second"] {
        objects.put_bytes(&one, text.as_bytes()).await.expect("put");
        let back = objects.get_bytes(&one, 10).await.expect("get");
        assert_eq!(back, text.as_bytes());
    }
    objects.put_bytes(&other, b"").await.expect("put");
    assert!(objects.get_bytes(&other, 0).await.expect("get").is_empty());
    let large = objects.get_bytes(&one, 3).await;
    assert!(matches!(large, Err(ObjectError::TooLarge(key)) if key == one));
}

#[tokio::test]
async fn the_last_one_is_found_by_its_name() {
    let root = tempfile::tempdir().expect("a folder");
    let objects = objects(root.path());
    assert_eq!(
        objects.last(Namespace::AuditHeads).await.expect("a list"),
        None
    );
    for name in ["0002", "0010", "0001"] {
        let key = ObjectKey {
            namespace: Namespace::AuditHeads,
            path: name.parse().expect("a path"),
        };
        objects.put_bytes(&key, b"head").await.expect("put");
    }
    let last = objects.last(Namespace::AuditHeads).await.expect("a list");
    assert_eq!(last.expect("one").as_str(), "0010");
}

/// Of two who write one object, one is there whole; and what one of them left is no object.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_whole_whoever_writes_it() {
    let root = tempfile::tempdir().expect("a folder");
    let objects = objects(root.path());
    let key = key("a/b");
    let texts = [b"a".repeat(300_000), b"b".repeat(300_000)];
    for _ in 0..20 {
        let [one, other] = &texts;
        let (one, other) =
            tokio::join!(objects.put_bytes(&key, one), objects.put_bytes(&key, other));
        one.and(other).expect("put");
        let back = objects.get_bytes(&key, 300_000).await.expect("get");
        assert!(texts.contains(&back));
    }
    let aside = std::fs::read_dir(root.path().join("objects/unfinished"));
    assert_eq!(aside.expect("a folder").count(), 0);
}

/// PATH-02, PATH-03: links that somebody planted lead nowhere outside.
#[tokio::test]
async fn no_link_leads_out() {
    let root = tempfile::tempdir().expect("a folder");
    let outside = root.path().join("outside");
    std::fs::create_dir(&outside).expect("a folder");
    std::fs::write(outside.join("secret"), "secret").expect("a file");
    let objects = objects(root.path());
    objects.put_bytes(&key("a/b"), b"b").await.expect("put");
    let folder = root.path().join("objects/archives");
    symlink(&outside, folder.join("absolute")).expect("a link");
    symlink("../../outside", folder.join("relative")).expect("a link");
    symlink("/proc/self/root", folder.join("magic")).expect("a link");
    symlink("..", folder.join("up")).expect("a link");
    symlink(outside.join("secret"), folder.join("file")).expect("a link");
    symlink(outside.join("made"), folder.join("target")).expect("a link");
    let secret = outside.join("secret");
    let secret = secret.to_str().expect("a name").trim_start_matches('/');
    for path in [
        "absolute/secret".to_owned(),
        "relative/secret".to_owned(),
        format!("magic/{secret}"),
        "up/up/outside/secret".to_owned(),
        "file".to_owned(),
    ] {
        let read = objects.get_bytes(&key(&path), 100).await;
        assert!(read.is_err(), "{path}: {read:?}");
        let written = objects.put_bytes(&key(&path), b"overwritten").await;
        // A link itself may be replaced; what it points at is not touched.
        assert!(written.is_err() || path == "file", "{path}");
    }
    objects
        .put_bytes(&key("target"), b"made")
        .await
        .expect("put");
    assert!(!outside.join("made").exists());
    let found = std::fs::read_to_string(outside.join("secret")).expect("a file");
    assert_eq!(found, "secret");
    assert_eq!(std::fs::read_dir(&outside).expect("a folder").count(), 1);
}

/// A folder that turns into a link out while it is read from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_swap_lets_a_reader_out() {
    const SWAPS: usize = 2_000;
    let root = tempfile::tempdir().expect("a folder");
    let outside = root.path().join("outside");
    std::fs::create_dir(&outside).expect("a folder");
    std::fs::write(outside.join("b"), "secret").expect("a file");
    let objects = objects(root.path());
    objects.put_bytes(&key("a/b"), b"ours").await.expect("put");
    let folder = root.path().join("objects/archives");
    let swapping = tokio::task::spawn_blocking(move || {
        let (there, away) = (folder.join("a"), folder.join("away"));
        for _ in 0..SWAPS {
            std::fs::rename(&there, &away).expect("a move");
            symlink(&outside, &there).expect("a link");
            std::fs::remove_file(&there).expect("no link");
            std::fs::rename(&away, &there).expect("a move");
        }
    });
    let mut read = 0;
    while !swapping.is_finished() {
        if let Ok(bytes) = objects.get_bytes(&key("a/b"), 100).await {
            assert_eq!(bytes, b"ours");
            read += 1;
        }
    }
    swapping.await.expect("swaps");
    assert!(read > 0);
}
