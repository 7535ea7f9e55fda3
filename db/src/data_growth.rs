//! How large the tables are that only grow. From the server's statistics: counting would read all of
//! what is too large already.

use domain::data_growth::{Guarded, Measure, Size, Triggers};
use domain::policy::Scope;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::{Result, parse};
use crate::partition::{self, Form};

const SECONDS_PER_DAY: i64 = 86_400;

/// One table.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub table: Guarded,
    pub form: Form,
    pub size: Size,
    /// `None`: there is no row.
    pub oldest_at: Option<OffsetDateTime>,
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
                  -- Nobody comes back to a partition that nothing was written to since.
                  coalesce(max(extract(epoch from clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum,
                    pg_postmaster_start_time()))) filter (where s.n_dead_tup + s.n_ins_since_vacuum > 0), 0)::bigint as "lag!",
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
    .fetch_one(&mut *conn)
    .await?;
    let mut samples = Vec::new();
    let before = earlier(&mut *conn).await?;
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
        let earlier = before.iter().find(|one| one.table == table);
        let rows_per_day = match earlier {
            // What left the database since is no growth.
            Some(one) => (row.rows - one.rows).max(0) * SECONDS_PER_DAY / one.age_seconds,
            None => row.rows / days,
        };
        let form = partition::form(&mut *conn, table).await?;
        samples.push(Sample {
            table,
            form,
            size: Size {
                rows: row.rows,
                bytes: row.bytes,
                rows_per_day,
                oldest_seconds: oldest_at.map_or(0, |at| (oldest.now - at).whole_seconds()),
                vacuum_lag_seconds: row.lag,
                freeze_age: row.age,
                partitioned: form == Form::Converted,
            },
            oldest_at,
        });
    }
    samples.sort_by_key(|sample| sample.table.as_str());
    Ok(samples)
}

/// From when on a table's measures are too much.
pub async fn triggers(conn: &mut PgConnection, table: Guarded) -> Result<Triggers> {
    let policies = Triggers::policies(table);
    let mut values = [0; Measure::ALL.len()];
    for (value, policy) in values.iter_mut().zip(policies) {
        *value = crate::policy::resolve(conn, policy, Scope::Platform).await?;
    }
    Ok(Triggers::from_values(values))
}

/// How large a table was.
struct Earlier {
    table: Guarded,
    rows: i64,
    age_seconds: i64,
}

/// The oldest sample of the last week of each table. One that is not an hour old tells nothing.
async fn earlier(conn: &mut PgConnection) -> Result<Vec<Earlier>> {
    let rows = sqlx::query!(
        r#"select distinct on (table_name) table_name, row_count,
                  extract(epoch from clock_timestamp() - sampled_at)::bigint as "age!"
           from data_growth_samples
           where sampled_at between clock_timestamp() - interval '7 days' and clock_timestamp() - interval '1 hour'
           order by table_name, sampled_at"#
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let name = &row.table_name;
            Ok(Earlier {
                table: parse("data_growth_samples", "table_name", name, name)?,
                rows: row.row_count,
                age_seconds: row.age,
            })
        })
        .collect()
}
