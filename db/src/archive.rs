//! Partitions that lie in the object store.

mod rows;

use domain::data_growth::Guarded;
use domain::id::ArchiveId;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

pub use self::rows::{copy_in, copy_out};
use crate::error::{Error, Result, one_row, parse};
use crate::partition::PATIENCE_MILLIS;

const TABLE: &str = "archives";
const PATIENCE_SECONDS: f64 = PATIENCE_MILLIS as f64 / 1_000.0;

/// A partition's rows in the object store.
#[derive(Debug, Clone)]
pub struct Archive {
    pub id: ArchiveId,
    pub table: Guarded,
    pub partition: String,
    /// `None`: it was the first one, and held all that is older.
    pub since: Option<OffsetDateTime>,
    pub until: OffsetDateTime,
    pub rows: i64,
    /// Of the file.
    pub bytes: i64,
    /// SHA-256 over the rows.
    pub rows_sha256: [u8; 32],
    /// SHA-256 of the file.
    pub file_sha256: [u8; 32],
    pub object_path: String,
    /// A signed document, as it lies beside the file.
    pub manifest: Value,
    /// When it was last read back and was right.
    pub verified_at: OffsetDateTime,
    /// `None`: its partition is in the database.
    pub dropped_at: Option<OffsetDateTime>,
    /// Until when a partition that was brought back stays.
    pub held_until: Option<OffsetDateTime>,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

impl Archive {
    /// As when it was written.
    pub fn as_new(&self) -> NewArchive<'_> {
        NewArchive {
            id: self.id,
            table: self.table,
            partition: &self.partition,
            since: self.since,
            until: self.until,
            rows: self.rows,
            bytes: self.bytes,
            rows_sha256: self.rows_sha256,
            file_sha256: self.file_sha256,
            object_path: &self.object_path,
            manifest: &self.manifest,
        }
    }
}

/// What was written and read back.
#[derive(Debug, Clone)]
pub struct NewArchive<'a> {
    pub id: ArchiveId,
    pub table: Guarded,
    pub partition: &'a str,
    pub since: Option<OffsetDateTime>,
    pub until: OffsetDateTime,
    pub rows: i64,
    pub bytes: i64,
    pub rows_sha256: [u8; 32],
    pub file_sha256: [u8; 32],
    pub object_path: &'a str,
    pub manifest: &'a Value,
}

/// A column, by the names of the catalog.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub kind: String,
    pub nullable: bool,
}

/// Columns of a table or partition, in its order.
pub async fn columns(conn: &mut PgConnection, table: &str) -> Result<Vec<Column>> {
    let columns = sqlx::query_as!(
        Column,
        r#"select attname::text as "name!", format_type(atttypid, atttypmod) as "kind!", not attnotnull as "nullable!"
           from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped
           order by attnum"#,
        table,
    );
    Ok(columns.fetch_all(conn).await?)
}

/// Writes down what was archived, and what its rows add up to; they are in `partition` still. Replaces
/// what was known of it, unless its partition is gone: the constraint `archives_are_kept`.
pub async fn keep(conn: &mut PgConnection, new: &NewArchive<'_>) -> Result<()> {
    let id = sqlx::query_scalar!(
        "insert into archives (id, table_name, partition_name, since, until, row_count, file_bytes, rows_sha256,
                               file_sha256, object_path, manifest)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         on conflict (partition_name) do update
           set row_count = excluded.row_count, file_bytes = excluded.file_bytes, rows_sha256 = excluded.rows_sha256,
               file_sha256 = excluded.file_sha256, object_path = excluded.object_path, manifest = excluded.manifest,
               verified_at = clock_timestamp()
         returning id",
        new.id.uuid(),
        new.table.as_str(),
        new.partition,
        new.since,
        new.until,
        new.rows,
        new.bytes,
        &new.rows_sha256,
        &new.file_sha256,
        new.object_path,
        new.manifest,
    )
    .fetch_one(&mut *conn)
    .await?;
    let sums = sqlx::query!("select archive_add_up($1)", id);
    sums.execute(conn).await?;
    Ok(())
}

/// Archives, those of the latest time first, from before `after`.
pub async fn list(
    conn: &mut PgConnection,
    which: Which<'_>,
    after: Option<ArchiveId>,
    limit: i64,
) -> Result<Vec<Archive>> {
    let rows = sqlx::query!(
        "select * from archives
         where ($1::uuid is null or id = $1) and ($2::text is null or partition_name = $2)
           and ($3::text is null or table_name = $3) and ($4::uuid is null or id < $4)
         order by id desc limit $5",
        which.id.map(ArchiveId::uuid),
        which.partition,
        which.table.map(Guarded::as_str),
        after.map(ArchiveId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = ArchiveId::from(row.id);
            Ok(Archive {
                id,
                table: parse(TABLE, "table_name", id, &row.table_name)?,
                partition: row.partition_name,
                since: row.since,
                until: row.until,
                rows: row.row_count,
                bytes: row.file_bytes,
                rows_sha256: digest(id, "rows_sha256", &row.rows_sha256)?,
                file_sha256: digest(id, "file_sha256", &row.file_sha256)?,
                object_path: row.object_path,
                manifest: row.manifest,
                verified_at: row.verified_at,
                dropped_at: row.dropped_at,
                held_until: row.held_until,
                version: row.version,
                created_at: row.created_at,
                updated_at: row.updated_at,
            })
        })
        .collect()
}

/// Which archives are meant; missing: all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Which<'a> {
    pub id: Option<ArchiveId>,
    pub partition: Option<&'a str>,
    pub table: Option<Guarded>,
}

pub async fn find(conn: &mut PgConnection, id: ArchiveId) -> Result<Option<Archive>> {
    let which = Which {
        id: Some(id),
        ..Which::default()
    };
    Ok(list(conn, which, None, 1).await?.pop())
}

/// The archive of a partition.
pub async fn of_partition(conn: &mut PgConnection, name: &str) -> Result<Option<Archive>> {
    let which = Which {
        partition: Some(name),
        ..Which::default()
    };
    Ok(list(conn, which, None, 1).await?.pop())
}

fn digest(id: ArchiveId, column: &'static str, bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| Error::Inconsistent {
        table: TABLE,
        column,
        row: id.to_string(),
    })
}

/// It was read back, and was right.
pub async fn verified(conn: &mut PgConnection, id: ArchiveId) -> Result<()> {
    let done = sqlx::query!(
        "update archives set verified_at = clock_timestamp() where id = $1",
        id.uuid()
    );
    one_row(&done.execute(conn).await?)
}

/// Archives of a table whose rows are not in it, the oldest first.
pub async fn gone(conn: &mut PgConnection, table: Guarded) -> Result<Vec<Archive>> {
    let ids = sqlx::query_scalar!(
        r#"select id as "id!" from archived_partitions where table_name = $1"#,
        table.as_str(),
    );
    let ids = ids.fetch_all(&mut *conn).await?;
    let which = Which {
        table: Some(table),
        ..Which::default()
    };
    let mut all = list(conn, which, None, i64::MAX).await?;
    all.retain(|one| ids.contains(&one.id.uuid()));
    all.sort_by_key(|one| one.until);
    Ok(all)
}

/// Up to where rows of a table are in archives alone; `None`: they are all there.
pub async fn gone_until(conn: &mut PgConnection, table: Guarded) -> Result<Option<OffsetDateTime>> {
    let until = sqlx::query_scalar!("select archived_until($1)", table.as_str());
    Ok(until.fetch_one(conn).await?)
}

/// Ends of partitions that are in the database and are not held there, the oldest of each table; those
/// that are on their way out are in it until they are dropped.
pub async fn oldest_ends(conn: &mut PgConnection) -> Result<Vec<(Guarded, OffsetDateTime)>> {
    let rows = sqlx::query!(
        r#"select p.table_name as "table!", min(p.until) as "until!"
           from (select table_name, name, until from table_partitions where not detaching
                 union all
                 select table_name, name, until from leaving_partitions) as p
           left join archives a on a.partition_name = p.name
           where p.until is not null and (a.held_until is null or a.held_until < clock_timestamp())
             and p.table_name in ('usage_records', 'ledger_entries', 'audit_logs', 'outbox_events', 'workflow_intents')
           group by p.table_name"#
    )
    .fetch_all(conn)
    .await?;
    let tables = rows.into_iter().map(|row| {
        let table = parse("table_partitions", "table_name", &row.table, &row.table)?;
        Ok((table, row.until))
    });
    tables.collect()
}

/// Makes the table that an archive comes back into, and throws away what an earlier try left.
pub async fn restore_begin(conn: &mut PgConnection, archive: &Archive) -> Result<()> {
    sqlx::query!(
        "select partition_restore_begin($1::text::regclass, $2::text::name, $3, $4, make_interval(secs => $5))",
        archive.table.as_str(),
        archive.partition,
        archive.since,
        archive.until,
        PATIENCE_SECONDS,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives it the foreign keys that it will need, which new rows have to pass, and no others yet.
pub async fn restore_link(conn: &mut PgConnection, archive: &Archive) -> Result<()> {
    sqlx::query!(
        "select partition_restore_link($1::text::regclass, $2::text::name, make_interval(secs => $3))",
        archive.table.as_str(),
        archive.partition,
        PATIENCE_SECONDS,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Looks at every row, whether its foreign keys hold.
pub async fn restore_prove(conn: &mut PgConnection, archive: &Archive) -> Result<()> {
    sqlx::query!(
        "select partition_restore_prove($1::text::name)",
        archive.partition
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes it a partition, which stays for `held_seconds`.
pub async fn restore_end(
    conn: &mut PgConnection,
    archive: &Archive,
    held_seconds: i64,
) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('berth.partition.rows', 0))")
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "select partition_restore_end($1::text::regclass, $2::text::name, $3, $4, make_interval(secs => $5::bigint::float8),
                                      make_interval(secs => $6))",
        archive.table.as_str(),
        archive.partition,
        archive.since,
        archive.until,
        held_seconds,
        PATIENCE_SECONDS,
    )
    .execute(conn)
    .await?;
    Ok(())
}
