//! A plain table becomes a partitioned one while others write to it and read it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use db::partition::Form;
use domain::data_growth::Guarded;
use domain::partition::Interval;
use futures::future::join_all;
use uuid::Uuid;

use tests::scratch::{Scratch, execute, fresh, id_at, input, insert};

const ROWS: i64 = 200_000;
const TABLE: Guarded = Guarded::UsageRecords;

async fn form(scratch: &Scratch) -> Form {
    let mut conn = scratch.owner.acquire().await.expect("a connection");
    db::partition::form(&mut conn, TABLE).await.expect("a form")
}

/// What a table has: rules, keys, indexes, row security, triggers and grants, each as a text.
async fn facts(scratch: &Scratch, table: Guarded) -> Vec<String> {
    sqlx::query_scalar(
        "select fact from (
           select conname || ' ' || pg_get_constraintdef(oid) as fact from pg_constraint
             where conrelid = $1::regclass and conname <> 'partition_bound'
           union all
           select replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') from pg_index where indrelid = $1::regclass
           union all
           select pg_get_triggerdef(oid) from pg_trigger where tgrelid = $1::regclass and not tgisinternal
           union all
           select concat_ws(' ', 'policy', policyname, permissive, roles, cmd, qual, with_check) from pg_policies
             where tablename = $1
           union all
           select concat_ws(' ', 'grant', grantee, privilege_type) from information_schema.role_table_grants
             where table_name = $1
           union all
           select concat_ws(' ', 'security', relrowsecurity, relforcerowsecurity, obj_description(oid, 'pg_class'))
             from pg_class where oid = $1::regclass
           union all
           select concat_ws(' ', 'column', attname, atttypid::regtype, attnotnull, col_description(attrelid, attnum))
             from pg_attribute where attrelid = $1::regclass and attnum > 0
         ) as facts order by fact",
    )
    .bind(table.as_str())
    .fetch_all(&scratch.root)
    .await
    .expect("facts")
}

async fn convert(scratch: &Scratch, table: Guarded) -> Result<(), activities::refusal::Refusal> {
    let steps = scratch.steps();
    steps.bind_at(input(table), None).await?;
    steps.prove_all(input(table)).await?;
    steps.swap(input(table)).await?;
    Ok(())
}

/// As the workflow does: what others keep from its lock is tried again.
async fn insist(scratch: &Scratch, table: Guarded) {
    while let Err(refusal) = convert(scratch, table).await {
        assert!(refusal.is_busy(), "{refusal:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_is_lost_or_out_of_sight_meanwhile() {
    let scratch = Arc::new(Scratch::new().await);
    let sql = format!(
        "insert into usage_records (id, created_at, epoch, org_id, project_id, allocation_id, interval_id,
                                    meter, sku, quantity, started_at, ended_at)
         select id, uuid_v7_at(id), 1, id, id, id, id, 'gpu_seconds', 'none', 1, '2001-01-01', '2001-01-02'
         from (select uuid_v7() as id from generate_series(1, {ROWS})) as made"
    );
    execute(&scratch.root, sql).await;
    let written = Arc::new(AtomicI64::new(ROWS));
    let stop = Arc::new(AtomicBool::new(false));
    let writers = (0..4).map(|_| {
        let (scratch, written, stop) = (scratch.clone(), written.clone(), stop.clone());
        tokio::spawn(async move {
            let mut own = 0;
            while !stop.load(Ordering::SeqCst) {
                let ids: Vec<Uuid> = (0..5).map(|_| fresh()).collect();
                insert(&scratch.worker, &ids).await;
                written.fetch_add(5, Ordering::SeqCst);
                own += 1;
            }
            own
        })
    });
    let readers = (0..2).map(|_| {
        let (scratch, written, stop) = (scratch.clone(), written.clone(), stop.clone());
        tokio::spawn(async move {
            let mut looks = 0;
            while !stop.load(Ordering::SeqCst) {
                let known = written.load(Ordering::SeqCst);
                let seen: i64 = sqlx::query_scalar("select count(*) from usage_records")
                    .fetch_one(&scratch.worker)
                    .await
                    .expect("a count");
                assert!(seen >= known, "{seen} of {known} rows are to be seen");
                looks += 1;
            }
            looks
        })
    });
    let (writers, readers): (Vec<_>, Vec<_>) = (writers.collect(), readers.collect());
    insist(&scratch, TABLE).await;
    let added = scratch.steps().premake_at(input(TABLE), None).await;
    assert!(!added.expect("partitions").is_empty());
    // Some more of both, on the converted table.
    let goal = written.load(Ordering::SeqCst) + 500;
    tests::eventually("more rows", Duration::from_mins(1), || async {
        (written.load(Ordering::SeqCst) >= goal).then_some(())
    })
    .await;
    stop.store(true, Ordering::SeqCst);
    for count in join_all(writers)
        .await
        .into_iter()
        .chain(join_all(readers).await)
    {
        let count: i32 = count.expect("nobody saw anything wrong");
        assert!(count > 0, "everybody had a turn");
    }
    let seen: i64 = sqlx::query_scalar("select count(distinct id) from usage_records")
        .fetch_one(&scratch.worker)
        .await
        .expect("a count");
    assert_eq!(seen, written.load(Ordering::SeqCst));
    assert_eq!(form(&scratch).await, Form::Converted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_converted_table_has_all_that_the_plain_one_had() {
    let scratch = Scratch::new().await;
    for table in Guarded::ALL.iter().copied() {
        let before = facts(&scratch, table).await;
        insist(&scratch, table).await;
        let steps = scratch.steps();
        let added = steps
            .premake_at(input(table), None)
            .await
            .expect("partitions");
        assert_eq!(facts(&scratch, table).await, before);
        // Whoever goes round the table meets the same walls, and has no key to any door.
        for part in added
            .iter()
            .map(String::as_str)
            .chain([&*format!("{table}_first")])
        {
            let open: i64 = sqlx::query_scalar(
                "select count(*) from information_schema.role_table_grants
                 where table_name = $1 and grantee <> 'berth_owner'",
            )
            .bind(part)
            .fetch_one(&scratch.root)
            .await
            .expect("a count");
            assert_eq!(open, 0, "{part}");
            let (secured, refusing): (bool, bool) = sqlx::query_as(
                "select relforcerowsecurity, exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'refuse_change')
                 from pg_class c where oid = $1::regclass",
            )
            .bind(part)
            .fetch_one(&scratch.root)
            .await
            .expect("a partition");
            let append_only = before.iter().any(|fact| fact.contains(" refuse_change "));
            assert!(secured, "{part}");
            assert_eq!(refusing, append_only, "{part}");
        }
    }
}

/// Each step is one transaction: whoever is killed in the middle leaves nothing half done, and
/// whoever comes next finishes.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_breaks_off_leaves_the_table_as_it_was() {
    let scratch = Scratch::new().await;
    let now = scratch.now().await;
    let until = Interval::Month.bound(now);
    insert(&scratch.worker, &[fresh()]).await;
    let rows = async || {
        let count = sqlx::query_scalar::<_, i64>("select count(*) from usage_records");
        count.fetch_one(&scratch.worker).await.expect("a count")
    };
    for (step, after) in [
        (0, Form::Plain),
        (
            1,
            Form::Bound {
                until,
                proved: false,
            },
        ),
        (
            2,
            Form::Bound {
                until,
                proved: true,
            },
        ),
    ] {
        let mut tx = scratch.owner.begin().await.expect("a transaction");
        let pid: i32 = sqlx::query_scalar("select pg_backend_pid()")
            .fetch_one(&mut *tx)
            .await
            .expect("a number");
        let done = match step {
            0 => db::partition::bind(&mut tx, TABLE, until).await,
            1 => db::partition::prove(&mut tx, TABLE).await,
            _ => db::partition::cut_over(&mut tx, TABLE).await,
        };
        done.expect("a step");
        execute(
            &scratch.root,
            format!("select pg_terminate_backend({pid}, 5000)"),
        )
        .await;
        assert!(tx.commit().await.is_err());
        assert_eq!(form(&scratch).await, after, "step {step}");
        assert_eq!(rows().await, 1);
        insert(&scratch.worker, &[]).await;
        let steps = scratch.steps();
        match step {
            0 => steps.bind_at(input(TABLE), Some(now)).await.expect("bound"),
            1 => steps.prove_all(input(TABLE)).await.expect("proved"),
            _ => assert!(steps.swap(input(TABLE)).await.expect("converted")),
        }
    }
    // Once more changes nothing.
    assert!(!scratch.steps().swap(input(TABLE)).await.expect("converted"));
    assert_eq!(form(&scratch).await, Form::Converted);
    assert_eq!(rows().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_reader_is_not_waited_for_behind_everybody_elses_back() {
    let scratch = Scratch::new().await;
    let steps = scratch.steps();
    steps.bind_at(input(TABLE), None).await.expect("bound");
    steps.prove_all(input(TABLE)).await.expect("proved");
    let mut reader = scratch.worker.begin().await.expect("a transaction");
    let count = sqlx::query_scalar::<_, i64>("select count(*) from usage_records");
    count.fetch_one(&mut *reader).await.expect("a count");
    let refused = steps
        .swap(input(TABLE))
        .await
        .expect_err("the reader reads");
    assert!(refused.is_busy(), "{refused:?}");
    assert!(matches!(
        form(&scratch).await,
        Form::Bound { proved: true, .. }
    ));
    // It holds nothing: others come through.
    insert(&scratch.worker, &[fresh()]).await;
    reader.commit().await.expect("the end of it");
    assert!(steps.swap(input(TABLE)).await.expect("converted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_that_comes_near_is_moved() {
    let scratch = Scratch::new().await;
    let steps = scratch.steps();
    let now = scratch.now().await;
    let interval = Interval::Month;
    steps.bind_at(input(TABLE), Some(now)).await.expect("bound");
    let until = interval.bound(now);
    steps.prove_all(input(TABLE)).await.expect("proved");
    steps.bind_at(input(TABLE), Some(now)).await.expect("bound");
    assert_eq!(
        form(&scratch).await,
        Form::Bound {
            until,
            proved: true
        }
    );
    // Nobody looked after it for a month and a half.
    let later = until - time::Duration::days(5);
    steps
        .bind_at(input(TABLE), Some(later))
        .await
        .expect("bound");
    let until = interval.bound(later);
    assert_eq!(
        form(&scratch).await,
        Form::Bound {
            until,
            proved: false
        }
    );
    let refused = steps
        .swap(input(TABLE))
        .await
        .expect_err("nothing is proved");
    assert!(!refused.is_busy(), "{refused:?}");
}

/// A row beyond the bound keeps the table plain: it is never out of sight.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_beyond_the_bound_or_the_last_partition_is_refused_and_not_lost() {
    let scratch = Scratch::new().await;
    let steps = scratch.steps();
    let far = scratch.now().await + time::Duration::days(5_000);
    scratch.use_at(&[far]).await;
    steps.bind_at(input(TABLE), None).await.expect("bound");
    assert!(steps.prove_all(input(TABLE)).await.is_err());
    assert!(matches!(
        form(&scratch).await,
        Form::Bound { proved: false, .. }
    ));
    let refused = write_at(&scratch, far).await.expect_err("it is bound");
    assert!(matches!(refused, db::Error::NoPartition(_)), "{refused:?}");

    let scratch = Scratch::new().await;
    insist(&scratch, TABLE).await;
    let refused = write_at(&scratch, far).await;
    let refused = refused.expect_err("there is no such partition");
    assert!(matches!(refused, db::Error::NoPartition(_)), "{refused:?}");
}

/// A row of that instant.
async fn write_at(scratch: &Scratch, at: time::OffsetDateTime) -> db::Result<()> {
    sqlx::query(
        "insert into usage_records (id, created_at, epoch, org_id, project_id, allocation_id, interval_id,
                                    meter, sku, quantity, started_at, ended_at)
         values ($1, uuid_v7_at($1), 1, $1, $1, $1, $1, 'gpu_seconds', 'none', 1, '2001-01-01', '2001-01-02')",
    )
    .bind(id_at(at))
    .execute(&scratch.worker)
    .await?;
    Ok(())
}
