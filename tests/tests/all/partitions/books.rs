//! Money and use add up, wherever their rows lie.

use db::billing::reconcile;
use domain::data_growth::Guarded;
use domain::reconciliation::Comparison;
use time::OffsetDateTime;
use uuid::Uuid;

use super::archive::{LATER, archives, content, of};
use super::year::convert;
use tests::scratch::{Scratch, execute, fresh, input};

/// Findings of both comparisons that add up all there ever was.
pub(super) async fn findings(scratch: &Scratch) -> Vec<u64> {
    let mut counts = Vec::new();
    for comparison in [Comparison::Ledger, Comparison::Usage] {
        let mut tx = scratch.worker.begin().await.expect("a transaction");
        let run = fresh().to_string();
        let id = reconcile::open(&mut tx, &run, OffsetDateTime::UNIX_EPOCH).await;
        let found = reconcile::compare(&mut tx, id.expect("a run"), comparison).await;
        counts.push(found.expect("a comparison"));
        tx.commit().await.expect("committed");
    }
    counts
}

/// Two organizations that gave and got, one transaction each.
async fn post(scratch: &Scratch, orgs: &[Uuid]) {
    for org in orgs {
        let sql = format!(
            "with moved as (
               insert into ledger_transactions (id, org_id, kind, key)
               values (uuid_v7(), '{org}', 'credit', '{}') returning id
             )
             insert into ledger_entries (id, created_at, org_id, transaction_id, account, currency, amount_micros)
             select e.id, uuid_v7_at(e.id), '{org}', moved.id, e.account, 'USD', e.micros
             from moved, (select uuid_v7() as id, account, micros
                          from (values ('receivable', 700), ('credits', -700)) as v (account, micros)) as e",
            fresh()
        );
        execute(&scratch.worker, sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_balance_while_entries_are_archived() {
    let scratch = Scratch::new().await;
    scratch
        .set("partition.ledger_entries_kept_seconds", 1)
        .await;
    let orgs = [fresh(), fresh()];
    for org in orgs {
        let sql = format!(
            "insert into organizations (id, name, slug) values ('{org}', 'one', 's{}')",
            org.simple()
        );
        execute(&scratch.root, sql).await;
    }
    let (steps, table) = (scratch.steps(), Guarded::LedgerEntries);
    post(&scratch, &orgs).await;
    convert(&steps, table, scratch.now().await).await;
    post(&scratch, &orgs).await;
    assert_eq!(findings(&scratch).await, [0, 0]);
    let before = content(&scratch, table).await;
    steps
        .archive_at(input(table), Some(LATER))
        .await
        .expect("an archive");
    assert_eq!(findings(&scratch).await, [0, 0]);
    let gone = steps.expire_at(input(table), Some(LATER)).await;
    assert_eq!(
        gone.expect("dropped").as_deref(),
        Some("ledger_entries_first")
    );
    assert_eq!(content(&scratch, table).await, None);
    assert_eq!(findings(&scratch).await, [0, 0]);
    // What nobody archived is missed.
    let sum = "update account_balances set balance_micros = balance_micros - 1";
    execute(
        &scratch.root,
        format!("set local session_replication_role = replica; {sum}"),
    )
    .await;
    assert_eq!(findings(&scratch).await, [2, 0]);
    let sum = "update account_balances set balance_micros = balance_micros + 1";
    execute(
        &scratch.root,
        format!("set local session_replication_role = replica; {sum}"),
    )
    .await;
    let one = archives(&scratch).await.pop().expect("one");
    steps.bring_back(of(&one)).await.expect("back");
    assert_eq!(content(&scratch, table).await, before);
    assert_eq!(findings(&scratch).await, [0, 0]);
}
