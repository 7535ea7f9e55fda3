//! Partitions of tables that only grow. What changes them runs as the owner of the schema, one change
//! a transaction; how, is in migration 0026.

mod detach;

use domain::data_growth::Guarded;
use sqlx::PgConnection;
use sqlx::error::DatabaseError;
use time::OffsetDateTime;

pub use self::detach::detach;
use crate::error::{Error, Result, parse};

/// For how long whoever reads or writes may have to wait for a change to get its lock.
pub const PATIENCE_MILLIS: u32 = 100;
const PATIENCE_SECONDS: f64 = PATIENCE_MILLIS as f64 / 1_000.0;

/// How far a table is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Plain,
    /// Its rows end before this instant, the new ones for sure and, if `proved`, all of them.
    Bound {
        until: OffsetDateTime,
        proved: bool,
    },
    Converted,
}

impl Form {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Bound { .. } => "bound",
            Self::Converted => "converted",
        }
    }
}

/// One partition.
#[derive(Debug, Clone)]
pub struct Partition {
    pub table: Guarded,
    pub name: String,
    /// `None`: it holds all that is older.
    pub since: Option<OffsetDateTime>,
    pub until: OffsetDateTime,
    /// As the server's statistics estimate.
    pub rows: i64,
    /// With indexes.
    pub bytes: i64,
    /// Until when it stays, because it was brought back from its archive.
    pub held_until: Option<OffsetDateTime>,
}

/// Keeps every other change of partitions away until the transaction ends, which acts as the role that
/// owns the table: what it makes belongs to that one, whoever logged in.
pub async fn alone(conn: &mut PgConnection, table: Guarded) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('berth.partition', 0))")
        .execute(&mut *conn)
        .await?;
    become_owner(conn, table).await
}

async fn become_owner(conn: &mut PgConnection, table: Guarded) -> Result<()> {
    let role = sqlx::query_scalar!(
        "select set_config('role', pg_get_userbyid(relowner), true) from pg_class
         where oid = $1::text::regclass",
        table.as_str(),
    );
    role.fetch_one(conn).await?;
    Ok(())
}

/// Makes a transaction see one state of the database from its first statement on, and act as the role
/// that owns the table.
pub async fn snapshot(conn: &mut PgConnection, table: Guarded) -> Result<()> {
    sqlx::query!("set transaction isolation level repeatable read, read only")
        .execute(&mut *conn)
        .await?;
    become_owner(conn, table).await
}

/// Keeps rows from leaving their table, and from coming back, until the transaction ends; any number
/// may do so at once.
pub async fn keep_still(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock_shared(hashtextextended('berth.partition.rows', 0))"
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn names(table: Option<Guarded>) -> Vec<String> {
    let names = Guarded::ALL
        .iter()
        .filter(|one| table.is_none_or(|only| only == **one));
    names.map(ToString::to_string).collect()
}

/// Whether this connection may change a table's partitions.
pub async fn is_owner(conn: &mut PgConnection, table: Guarded) -> Result<bool> {
    let owns = sqlx::query_scalar!(
        r#"select pg_has_role(current_user, relowner, 'usage') as "owns!"
           from pg_class where oid = $1::text::regclass"#,
        table.as_str(),
    );
    Ok(owns.fetch_one(conn).await?)
}

pub async fn form(conn: &mut PgConnection, table: Guarded) -> Result<Form> {
    let row = sqlx::query!(
        r#"select converted as "converted!", bounded_until, bound_proved as "proved!"
           from table_forms where table_name = $1"#,
        table.as_str(),
    )
    .fetch_one(conn)
    .await?;
    Ok(match row.bounded_until {
        _ if row.converted => Form::Converted,
        Some(until) => Form::Bound {
            until,
            proved: row.proved,
        },
        None => Form::Plain,
    })
}

/// Partitions of a table, or of all, the oldest first. One that is being detached is none any more.
pub async fn list(conn: &mut PgConnection, table: Option<Guarded>) -> Result<Vec<Partition>> {
    let rows = sqlx::query!(
        r#"select p.table_name as "table!", p.name as "name!", p.since, p.until as "until!",
                  greatest(c.reltuples::bigint, s.n_live_tup, 0)::bigint as "rows!",
                  pg_total_relation_size(p.relid)::bigint as "bytes!", a.held_until as "held_until?"
           from table_partitions p join pg_class c on c.oid = p.relid
           left join archives a on a.partition_name = p.name
           left join pg_stat_user_tables s on s.relid = p.relid
           where p.table_name = any ($1) and not p.detaching
           order by p.table_name, p.until"#,
        &names(table),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Partition {
                table: parse("table_partitions", "table_name", &row.name, &row.table)?,
                name: row.name,
                since: row.since,
                until: row.until,
                rows: row.rows,
                bytes: row.bytes,
                held_until: row.held_until,
            })
        })
        .collect()
}

/// Where the last partition of each table ends, and the bound of one that is not converted yet:
/// beyond it nothing can be written.
pub async fn ends(conn: &mut PgConnection) -> Result<Vec<(Guarded, OffsetDateTime)>> {
    let rows = sqlx::query!(
        r#"select f.table_name as "table!", coalesce(f.bounded_until, max(p.until)) as "until!"
           from table_forms f left join table_partitions p on p.table_name = f.table_name and not p.detaching
           where f.table_name = any ($1)
           group by f.table_name, f.bounded_until
           having coalesce(f.bounded_until, max(p.until)) is not null"#,
        &names(None),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok((
                parse("table_forms", "table_name", &row.table, &row.table)?,
                row.until,
            ))
        })
        .collect()
}

/// From now on no row is written that is not before `until`; replaces an earlier bound.
pub async fn bind(conn: &mut PgConnection, table: Guarded, until: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "select partition_bind($1::text::regclass, $2, make_interval(secs => $3))",
        table.as_str(),
        until,
        PATIENCE_SECONDS,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads every row, to know that none is beyond the bound. Who reads or writes does not wait.
pub async fn prove(conn: &mut PgConnection, table: Guarded) -> Result<()> {
    sqlx::query!("select partition_prove($1::text::regclass)", table.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// Puts a partitioned table in the place of a plain one, which becomes its first partition.
pub async fn cut_over(conn: &mut PgConnection, table: Guarded) -> Result<()> {
    sqlx::query!(
        "select partition_cut_over($1::text::regclass, make_interval(secs => $2))",
        table.as_str(),
        PATIENCE_SECONDS,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds a partition behind the last one, and returns its name.
pub async fn add(
    conn: &mut PgConnection,
    table: Guarded,
    since: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<String> {
    let name = sqlx::query_scalar!(
        r#"select partition_add($1::text::regclass, $2, $3, make_interval(secs => $4)) as "name!""#,
        table.as_str(),
        since,
        until,
        PATIENCE_SECONDS,
    );
    Ok(name.fetch_one(conn).await?)
}

/// Tells the planner about the table as a whole.
pub async fn analyze(conn: &mut PgConnection, table: Guarded) -> Result<()> {
    sqlx::query!(
        "select partition_analyze($1::text::regclass)",
        table.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Rows of a partition that somebody waits for still: what was not handed on from an outbox, not
/// billed, or not sealed.
pub async fn owed(conn: &mut PgConnection, partition: &Partition) -> Result<i64> {
    let (since, until) = (partition.since, partition.until);
    let owed = match partition.table {
        Guarded::OutboxEvents => {
            sqlx::query_scalar!(
                r#"select count(*) as "owed!" from outbox_events
                   where published_at is null and created_at < $2 and ($1::timestamptz is null or created_at >= $1)"#,
                since,
                until,
            )
            .fetch_one(conn)
            .await?
        }
        Guarded::WorkflowIntents => {
            sqlx::query_scalar!(
                r#"select count(*) as "owed!" from workflow_intents
                   where delivered_at is null and created_at < $2 and ($1::timestamptz is null or created_at >= $1)"#,
                since,
                until,
            )
            .fetch_one(conn)
            .await?
        }
        // What no bill knows of yet.
        Guarded::UsageRecords => {
            sqlx::query_scalar!(
                r#"select count(*) as "owed!" from usage_records r
                   where r.created_at < $2 and ($1::timestamptz is null or r.created_at >= $1)
                     and exists (select from (values (r.started_at), (r.ended_at - interval '1 microsecond')) as edge (at)
                                 where not exists (select from billing_claims c
                                                   where c.org_id = r.org_id and c.period @> edge.at and c.epoch >= r.epoch))"#,
                since,
                until,
            )
            .fetch_one(conn)
            .await?
        }
        // What is in no chain yet.
        Guarded::AuditLogs => {
            sqlx::query_scalar!(
                r#"select count(*) as "owed!" from audit_unsealed
                   where created_at < $2 and ($1::timestamptz is null or created_at >= $1)"#,
                since,
                until,
            )
            .fetch_one(conn)
            .await?
        }
        Guarded::LedgerEntries => 0,
    };
    Ok(owed)
}

/// Brings to its end what was broken off in the middle of [`detach`], and says what is detached: tables
/// that were partitions, and are nobody's now.
pub async fn detached(conn: &mut PgConnection, table: Guarded) -> Result<Vec<String>> {
    let names = sqlx::query_scalar!(
        r#"select partition_detached($1::text::regclass) as "name!""#,
        table.as_str(),
    );
    Ok(names.fetch_all(conn).await?)
}

/// Names of a table's partitions that are on their way out; nothing is done to them.
pub async fn leaving(conn: &mut PgConnection, table: Guarded) -> Result<Vec<String>> {
    let names = sqlx::query_scalar!(
        r#"select name as "name!" from leaving_partitions where table_name = $1 order by name"#,
        table.as_str(),
    );
    Ok(names.fetch_all(conn).await?)
}

/// Drops what [`detached`] named, and nothing else.
pub async fn drop_detached(conn: &mut PgConnection, name: &str) -> Result<()> {
    sqlx::query!(
        "select partition_drop($1::text::regclass, make_interval(secs => $2))",
        name,
        PATIENCE_SECONDS,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether trying again changes nothing: a row beyond the bound, a table that is not what the step needs
/// it to be, one of that name, a right that is missing.
pub fn is_for_good(error: &Error) -> bool {
    let (Error::Database(source) | Error::Constraint { source, .. } | Error::NoPartition(source)) =
        error
    else {
        return false;
    };
    let code = source.as_database_error().and_then(DatabaseError::code);
    matches!(code.as_deref(), Some("23514" | "BT005" | "42P07" | "42501"))
}

/// Whether a change did not get its lock in time, because others read or write: try again.
pub fn is_busy(error: &Error) -> bool {
    let Error::Database(sqlx::Error::Database(error)) = error else {
        return false;
    };
    // lock_not_available, deadlock_detected
    matches!(error.code().as_deref(), Some("55P03" | "40P01"))
}
