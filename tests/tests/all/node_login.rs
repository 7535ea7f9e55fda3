//! Berth's own way onto a node: who is let in, and what a script may do to the one who runs it.

use std::time::Duration;

use platform::kms::Keyring;
use platform::ssh::{Authority, SshError};
use tests::node::Node;
use tests::stack;

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn another_host_key_ends_the_login() {
    let node = Node::of(stack().await, "node-1").await;
    let other = Node::of(stack().await, "node-2").await;
    let refused = node.open(&node.authority, &other.host_key).await;
    assert!(matches!(refused, Err(SshError::HostKey)), "{refused:?}");
    let unread = node.open(&node.authority, "ssh-ed25519 AAAA").await;
    assert!(
        matches!(unread, Err(SshError::Credentials(_))),
        "{unread:?}"
    );
    assert!(node.open(&node.authority, &node.host_key).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_authority_is_refused() {
    let node = Node::of(stack().await, "node-1").await;
    let directory = tempfile::tempdir().expect("a folder");
    let keyring = Keyring::open_or_create(&directory.path().join("keys")).expect("a keyring");
    let stranger = Authority::open(&keyring).expect("an authority");
    let refused = node.open(&stranger, &node.host_key).await;
    assert!(
        matches!(refused, Err(SshError::LoginRefused)),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_report_and_have_bounds() {
    let node = Node::of(stack().await, "node-1").await;
    let run = |script: &'static str, limit| node.run(script, limit);
    let output = run("echo out; echo err >&2; exit 7", LIMIT)
        .await
        .expect("an end");
    assert_eq!(
        (output.status, &*output.stdout, &*output.stderr),
        (7, "out\n", "err\n")
    );
    // What is not asked for is not there: no terminal, and nothing of this process.
    let bare = run("tty; env | grep -c BERTH; ps -o args= -p $$", LIMIT)
        .await
        .expect("an end");
    assert_eq!(bare.stdout, "not a tty\n0\n/bin/sh -s\n");

    let flood = run("yes berth", LIMIT).await;
    assert!(matches!(flood, Err(SshError::OutputTooLarge)), "{flood:?}");
    let stuck = run("sleep 600", Duration::from_secs(1)).await;
    assert!(matches!(stuck, Err(SshError::TimedOut(..))), "{stuck:?}");
    let killed = run("kill -KILL $$", LIMIT).await;
    assert!(matches!(killed, Err(SshError::Ended)), "{killed:?}");
}
