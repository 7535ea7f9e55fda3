//! Entries that left the database are still in their chains.

use domain::audit_chain::Fault;
use domain::data_growth::Guarded;
use time::OffsetDateTime;
use time::macros::datetime;

use super::{chain, faults, key, org, prove, sealed};
use crate::partitions::archive::{archives, of};
use tests::scratch::{Scratch, execute, id_at, input};

const TABLE: Guarded = Guarded::AuditLogs;
const OLD: OffsetDateTime = datetime!(2020-02-03 4:05:06.789 UTC);
const EDGE: OffsetDateTime = datetime!(2020-03-01 0:00 UTC);
const FAR: OffsetDateTime = datetime!(2200-01-01 0:00 UTC);

/// A log with old entries in a partition of their own, and one for all that come.
async fn log() -> Scratch {
    let scratch = Scratch::new().await;
    scratch.set("partition.audit_logs_kept_seconds", 1).await;
    let org = org();
    for (number, org) in [None, Some(org), Some(org), None, Some(org)]
        .into_iter()
        .enumerate()
    {
        let sql = format!(
            "insert into audit_logs (id, created_at, org_id, actor_kind, actor_id, action, resource_kind, outcome, detail)
             select id, uuid_v7_at(id), nullif('{}', '{}')::uuid, 'system', 'test', 'thing.make', 'thing', 'allowed', '{{\"n\": {number}}}'
             from (values ('{}'::uuid)) as v (id)",
            key(org), key(None), id_at(OLD),
        );
        execute(&scratch.worker, sql).await;
    }
    let mut tx = scratch.owner.begin().await.expect("a transaction");
    db::partition::bind(&mut tx, TABLE, EDGE)
        .await
        .expect("bound");
    db::partition::prove(&mut tx, TABLE).await.expect("proved");
    db::partition::cut_over(&mut tx, TABLE)
        .await
        .expect("converted");
    tx.commit().await.expect("committed");
    let mut tx = scratch.owner.begin().await.expect("a transaction");
    db::partition::add(&mut tx, TABLE, EDGE, FAR)
        .await
        .expect("a partition");
    tx.commit().await.expect("committed");
    scratch
}

async fn archive(scratch: &Scratch) -> db::archive::Archive {
    let steps = scratch.steps();
    let name = steps.archive_at(input(TABLE), None).await;
    assert_eq!(
        name.expect("an archive").as_deref(),
        Some("audit_logs_first")
    );
    let gone = steps.expire_at(input(TABLE), None).await;
    assert_eq!(gone.expect("dropped").as_deref(), Some("audit_logs_first"));
    archives(scratch).await.pop().expect("one")
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_partitions_still_verify() {
    let scratch = log().await;
    let steps = scratch.steps();
    // Not before all of it is sealed.
    assert_eq!(
        steps.archive_at(input(TABLE), None).await.expect("a look"),
        None
    );
    sealed(&scratch, &[org()], 2).await;
    let one = archive(&scratch).await;
    chain(&scratch).seal_all().await.expect("sealed");
    let proof = prove(&scratch).await;
    assert_eq!((proof.archived_entries, &proof.findings), (5, &Vec::new()));
    assert!(proof.entries >= 4);
    // They come back, and are in the same places.
    steps.bring_back(of(&one)).await.expect("back");
    chain(&scratch).seal_all().await.expect("sealed");
    let back = prove(&scratch).await;
    assert_eq!((back.archived_entries, &back.findings), (0, &Vec::new()));
    assert!(back.entries >= proof.entries + 5);
}

/// Whoever changes an archive and everything that is known of it does not change the chain.
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_made_anew_is_not_what_was_sealed() {
    let scratch = log().await;
    sealed(&scratch, &[org()], 1).await;
    let whole = "create table kept as select * from audit_logs_first";
    execute(&scratch.root, whole.to_owned()).await;
    // One entry is another one, and one is gone; the archive is made of that, and signed.
    super::by_force(
        &scratch,
        "update audit_logs set actor_id = 'nobody' where detail = '{\"n\": 1}';
         delete from audit_logs where detail = '{\"n\": 3}'",
    )
    .await;
    archive(&scratch).await;
    let found = faults(&prove(&scratch).await);
    assert_eq!(found, [Fault::EntryChanged, Fault::EntryMissing]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_not_what_was_written_is_named() {
    let scratch = log().await;
    sealed(&scratch, &[org()], 1).await;
    let one = archive(&scratch).await;
    let file = scratch
        .dir
        .path()
        .join("objects/archives")
        .join(&one.object_path);
    let mut bytes = std::fs::read(&file).expect("an object");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).expect("our folder");
    let proof = prove(&scratch).await;
    assert_eq!(faults(&proof), [Fault::ArchiveChanged]);
    assert_eq!(
        proof.findings[0].object.as_deref(),
        Some("audit_logs_first")
    );
}

/// Nobody but what was signed says that entries are elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_never_was_excuses_nothing() {
    let scratch = log().await;
    sealed(&scratch, &[org()], 1).await;
    archive(&scratch).await;
    chain(&scratch).seal_all().await.expect("sealed");
    let far = "update archives set until = '2100-01-01';
               delete from audit_logs where action = 'partition.archive'";
    super::by_force(&scratch, far).await;
    for archives in [false, true] {
        let proof = scratch.steps().prove_chains(archives).await;
        let found = faults(&proof.expect("a look"));
        assert!(found.contains(&Fault::ArchiveChanged), "{found:?}");
        assert_eq!(
            found
                .iter()
                .filter(|one| **one == Fault::EntryMissing)
                .count(),
            6,
            "{found:?}"
        );
    }
}
