//! Entries come into their chains, each once, whoever seals and however many write.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;

use super::{chain, count, org, prove, sealed, write};
use tests::scratch::{Scratch, execute};

const WRITERS: usize = 50;
const EACH: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn aud_02_no_link_is_lost_or_forked() {
    let scratch = Scratch::new().await;
    let orgs = [org(), org(), org()];
    let done = AtomicBool::new(false);
    let seal = async || {
        let chain = chain(&scratch);
        while !done.load(Ordering::Relaxed) {
            chain.seal_all().await.expect("sealed");
            tokio::task::yield_now().await;
        }
    };
    let write_all = async {
        let writers = (0..WRITERS).map(async |writer| {
            for number in 0..EACH {
                let mut tx = scratch.worker.begin().await.expect("a transaction");
                let org = orgs.get((writer + number) % 4).copied();
                write(&mut tx, org, number).await;
                // What is taken back was never there.
                if number.is_multiple_of(7) {
                    tx.rollback().await.expect("rolled back");
                } else {
                    tx.commit().await.expect("committed");
                }
            }
        });
        join_all(writers).await;
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(seal(), seal(), write_all);
    chain(&scratch).seal_all().await.expect("sealed");
    let written = count(&scratch, "select count(*) from audit_logs").await;
    assert_eq!(usize::try_from(written), Ok(WRITERS * (EACH - 3)));
    assert_eq!(
        count(&scratch, "select count(*) from audit_links").await,
        written
    );
    assert_eq!(
        count(&scratch, "select count(*) from audit_unsealed").await,
        0
    );
    let sum = "select sum(seq)::bigint from audit_heads";
    assert_eq!(count(&scratch, sum).await, written);
    let proof = prove(&scratch).await;
    assert_eq!(proof.entries, written.unsigned_abs());
    assert_eq!(proof.findings, []);
}

/// More than are sealed in one transaction.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_waits_is_sealed() {
    let scratch = Scratch::new().await;
    let sql = "insert into audit_logs (id, created_at, actor_kind, actor_id, action, resource_kind, outcome)
               select id, uuid_v7_at(id), 'system', 'test', 'thing.make', 'thing', 'allowed'
               from (select uuid_v7() as id from generate_series(1, 2500)) as made";
    execute(&scratch.worker, sql.to_owned()).await;
    assert_eq!(chain(&scratch).seal_all().await.expect("sealed"), 2_500);
    assert_eq!(chain(&scratch).seal_all().await.expect("sealed"), 0);
    assert_eq!(prove(&scratch).await.findings, []);
}

/// Not even the owner of the tables can, without a superuser's help.
#[tokio::test(flavor = "multi_thread")]
async fn aud_01_the_log_and_its_chain_only_grow() {
    let scratch = Scratch::new().await;
    sealed(&scratch, &[org()], 3).await;
    for sql in [
        "update audit_logs set reason = 'x'",
        "delete from audit_logs",
        "truncate audit_logs",
        "update audit_links set hash = sha256('x')",
        "delete from audit_links",
        "truncate audit_links",
        "update audit_heads set seq = 1, signed_seq = 0",
        "update audit_heads set hash = sha256('x')",
        "delete from audit_heads",
        "truncate audit_heads",
        "insert into audit_links select org_id, seq + 2, uuid_v7(), hash from audit_links where seq = 3",
        "delete from audit_checkpoints",
        "truncate audit_checkpoints",
    ] {
        for pool in [&scratch.owner, &scratch.worker] {
            let done = sqlx::raw_sql(sql).execute(pool).await;
            assert!(done.is_err(), "{sql}");
        }
    }
    // Nobody says that an entry waits but the log.
    let sql = "insert into audit_unsealed values (uuid_v7(), now())";
    assert!(sqlx::raw_sql(sql).execute(&scratch.worker).await.is_err());
    assert_eq!(prove(&scratch).await.findings, []);
}

/// The chain knows all of an entry.
#[tokio::test(flavor = "multi_thread")]
async fn every_column_of_the_log_is_in_the_chain() {
    let scratch = Scratch::new().await;
    let columns: Vec<String> = sqlx::query_scalar(
        "select attname::text from pg_attribute
         where attrelid = 'audit_logs'::regclass and attnum > 0 and not attisdropped order by attnum",
    )
    .fetch_all(&scratch.root)
    .await
    .expect("columns");
    assert_eq!(columns, domain::audit_chain::ENTRY);
}

/// Whoever was called off in the middle leaves nobody the answer to his question.
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_is_called_off_leaves_no_connection_behind() {
    let scratch = Scratch::new().await;
    let sql = "insert into audit_logs (id, created_at, actor_kind, actor_id, action, resource_kind, outcome, detail)
               select id, uuid_v7_at(id), 'system', 'test', 'thing.make', 'thing', 'allowed',
                      jsonb_build_object('text', repeat('x', 500))
               from (select uuid_v7() as id from generate_series(1, 30000)) as made";
    execute(&scratch.worker, sql.to_owned()).await;
    chain(&scratch).seal_all().await.expect("sealed");
    let options = scratch.worker.connect_options();
    let one = sqlx::postgres::PgPoolOptions::new().max_connections(1);
    let mut steps = scratch.steps();
    steps.pool = one
        .connect_with((*options).clone())
        .await
        .expect("a connection");
    let copying = "select count(*) from pg_stat_activity
                   where datname = current_database() and state = 'active' and query like 'copy (select l.org_id%'";
    let mut proof = Box::pin(steps.prove_chains(false));
    let mut called_off = false;
    while !called_off {
        let turn = std::time::Duration::from_millis(1);
        let ended = tokio::time::timeout(turn, &mut proof).await.is_ok();
        assert!(!ended, "it was to be called off");
        called_off = count(&scratch, copying).await > 0;
    }
    drop(proof);
    for number in 0..20_i32 {
        let answer: i32 = sqlx::query_scalar("select $1 + 0")
            .bind(number)
            .fetch_one(&steps.pool)
            .await
            .expect("an answer");
        assert_eq!(answer, number);
    }
}
