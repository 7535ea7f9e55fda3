//! Heads that are signed and kept elsewhere: whoever rewrites a whole chain is found by them.

use std::path::PathBuf;

use domain::audit_chain::Fault;

use super::{by_force, chain, faults, org, prove, sealed};
use tests::scratch::Scratch;

/// As if the last heads had been signed an hour ago.
async fn an_hour_later(scratch: &Scratch) {
    let sql = "update audit_checkpoints set created_at = created_at - interval '2 hours'";
    by_force(scratch, sql).await;
}

fn documents(scratch: &Scratch) -> Vec<PathBuf> {
    let folder = scratch.dir.path().join("objects/audit-heads");
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut all: Vec<_> = entries.map(|entry| entry.expect("one").path()).collect();
    all.sort();
    all
}

/// Two documents: the first about two chains, the second about one that moved on.
async fn two(scratch: &Scratch) {
    let org = org();
    sealed(scratch, &[org], 4).await;
    let chain = chain(scratch);
    assert_eq!(chain.sign_heads().await.expect("signed"), Some(1));
    assert_eq!(chain.sign_heads().await.expect("not yet"), None);
    an_hour_later(scratch).await;
    assert_eq!(chain.sign_heads().await.expect("nothing moved"), None);
    sealed(scratch, &[], 3).await;
    assert_eq!(chain.sign_heads().await.expect("signed"), Some(2));
    let proof = prove(scratch).await;
    assert_eq!((proof.checkpoints, proof.findings), (2, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_made_anew_is_another_one() {
    let scratch = Scratch::new().await;
    two(&scratch).await;
    let text = std::fs::read_to_string(&documents(&scratch)[1]).expect("a document");
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let heads = document["heads"].as_array().expect("a list");
    assert_eq!(heads.len(), 1, "{document}");
    // Keys were made meanwhile, which is written down, too.
    assert!(heads[0]["seq"].as_i64() >= Some(7), "{document}");
    // All of it is consistent again, but for what is not in the database.
    let anew = "update audit_logs set actor_id = 'nobody' where resource_id = 'thing_2';
                delete from audit_links; delete from audit_heads;
                insert into audit_unsealed select id, created_at from audit_logs";
    by_force(&scratch, anew).await;
    chain(&scratch).seal_all().await.expect("sealed");
    let found = faults(&prove(&scratch).await);
    assert_eq!(found, [Fault::HeadNotInChain; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_is_cut_with_its_head_was_signed() {
    let scratch = Scratch::new().await;
    two(&scratch).await;
    let cut = "delete from audit_logs where id in (select audit_id from audit_links where seq > 3);
               delete from audit_links where seq > 3;
               update audit_heads h set seq = 3, signed_seq = 3,
                 hash = (select hash from audit_links l where l.org_id = h.org_id and l.seq = 3)";
    by_force(&scratch, cut).await;
    let proof = prove(&scratch).await;
    assert_eq!(faults(&proof), [Fault::HeadNotInChain; 3], "{proof:?}");
    let seqs: Vec<_> = proof.findings.iter().map(|one| one.seq).collect();
    assert_eq!(seqs.iter().filter(|seq| **seq == Some(4)).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_is_missed_and_not_forged() {
    let scratch = Scratch::new().await;
    two(&scratch).await;
    let [first, second] = &documents(&scratch)[..] else {
        panic!("two documents");
    };
    let whole = std::fs::read(first).expect("a document");
    let text = String::from_utf8(whole.clone()).expect("text");
    for changed in [
        text.replace("\"seq\":4", "\"seq\":3"),
        text.replace("\"number\":1", "\"number\":2"),
        text.replace("signature", "signatur"),
        std::fs::read_to_string(second).expect("a document"),
        String::new(),
    ] {
        std::fs::write(first, changed).expect("our folder");
        assert_eq!(faults(&prove(&scratch).await), [Fault::CheckpointChanged]);
    }
    std::fs::remove_file(first).expect("our folder");
    assert_eq!(faults(&prove(&scratch).await), [Fault::CheckpointMissing]);
    std::fs::write(first, whole).expect("our folder");
    let elsewhere = "create table kept as table audit_checkpoints;
                     update audit_checkpoints set object_path = '../x' where number = 1";
    by_force(&scratch, elsewhere).await;
    assert_eq!(faults(&prove(&scratch).await), [Fault::CheckpointChanged]);
    // The database forgets both: the store does not.
    by_force(&scratch, "delete from audit_checkpoints").await;
    assert_eq!(faults(&prove(&scratch).await), [Fault::CheckpointMissing]);
    // Just the last one, as if somebody had been killed before he wrote it down: that is read, too.
    by_force(
        &scratch,
        "insert into audit_checkpoints select * from kept where number = 1",
    )
    .await;
    let proof = prove(&scratch).await;
    assert_eq!((proof.checkpoints, proof.findings), (2, Vec::new()));
}

/// Entries are sealed without it, and it is tried again.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_keeps_nobody_from_sealing() {
    let scratch = Scratch::new().await;
    let folder = scratch.dir.path().join("objects");
    std::fs::write(&folder, "in the way").expect("our folder");
    sealed(&scratch, &[org()], 2).await;
    let refused = chain(&scratch).sign_heads().await.expect_err("no store");
    assert!(!refused.is_conflict(), "it is tried again: {refused:?}");
    chain(&scratch).seal_all().await.expect("sealed");
    let mut conn = scratch.worker.acquire().await.expect("a connection");
    let lag = db::audit_chain::lag(&mut conn).await.expect("a lag");
    assert!(
        lag.checkpoint_seconds > 0.0 && lag.seal_seconds == 0.0,
        "{lag:?}"
    );
    std::fs::remove_file(&folder).expect("our folder");
    assert_eq!(chain(&scratch).sign_heads().await.expect("signed"), Some(1));
    let lag = db::audit_chain::lag(&mut conn).await.expect("a lag");
    assert!(lag.checkpoint_seconds == 0.0, "{lag:?}");
}
