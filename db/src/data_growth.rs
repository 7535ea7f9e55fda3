//! How large the tables are that only grow. From the server's statistics: counting would read all of
//! what is too large already.

use domain::data_growth::{Guarded, Size};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::{Result, parse};

/// One table.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub table: Guarded,
    pub size: Size,
    /// `None`: there is no row.
    pub oldest_at: Option<OffsetDateTime>,
    /// Rows of a day, on average since the oldest one.
    pub rows_per_day: i64,
}

/// Every guarded table, as it is now. Parts of a partitioned one count together.
pub async fn sample(conn: &mut PgConnection) -> Result<Vec<Sample>> {
    let names: Vec<String> = Guarded::ALL.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        r#"with part as (
             select t.name, p.relid from unnest($1::text[]) with ordinality as t (name, position)
             cross join lateral (
               select relid from pg_partition_tree(t.name::regclass) where isleaf
               -- A table that is not partitioned has no tree.
               union select t.name::regclass
             ) as p
           )
           select part.name as "name!",
                  coalesce(sum(greatest(c.reltuples::bigint, s.n_live_tup, 0)), 0)::bigint as "rows!",
                  sum(pg_total_relation_size(part.relid))::bigint as "bytes!",
                  max(extract(epoch from clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum,
                        pg_postmaster_start_time())))::bigint as "lag!",
                  max(age(c.relfrozenxid))::bigint as "age!"
           from part join pg_class c on c.oid = part.relid and c.relkind = 'r'
           left join pg_stat_user_tables s on s.relid = part.relid
           group by part.name"#,
        &names,
    )
    .fetch_all(&mut *conn)
    .await?;
    let oldest = sqlx::query!(
        r#"select (select created_at from usage_records order by id limit 1) as usage_records,
                  (select created_at from ledger_entries order by id limit 1) as ledger_entries,
                  (select created_at from audit_logs order by id limit 1) as audit_logs,
                  (select created_at from outbox_events order by id limit 1) as outbox_events,
                  (select created_at from workflow_intents order by id limit 1) as workflow_intents,
                  clock_timestamp() as "now!""#
    )
    .fetch_one(conn)
    .await?;
    let mut samples = Vec::new();
    for row in rows {
        let table: Guarded = parse("pg_class", "relname", &row.name, &row.name)?;
        let oldest_at = match table {
            Guarded::UsageRecords => oldest.usage_records,
            Guarded::LedgerEntries => oldest.ledger_entries,
            Guarded::AuditLogs => oldest.audit_logs,
            Guarded::OutboxEvents => oldest.outbox_events,
            Guarded::WorkflowIntents => oldest.workflow_intents,
        };
        let days = oldest_at.map_or(1, |at| (oldest.now - at).whole_days().max(1));
        samples.push(Sample {
            table,
            size: Size {
                rows: row.rows,
                bytes: row.bytes,
                vacuum_lag_seconds: row.lag,
                frozen_transactions_ago: row.age,
            },
            oldest_at,
            rows_per_day: row.rows / days,
        });
    }
    samples.sort_by_key(|sample| sample.table.as_str());
    Ok(samples)
}
