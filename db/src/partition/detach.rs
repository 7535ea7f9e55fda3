//! The one change of partitions that no function and no transaction may hold.

use sqlx::{AssertSqlSafe, PgConnection};

use super::Partition;
use crate::error::Result;

/// Takes a partition out of its table while others read and write; it waits for those who had begun
/// before. Not within a transaction, and on a connection that is closed afterwards: what is given up
/// half-way must not leave a lock behind. The names are the catalog's.
pub async fn detach(conn: &mut PgConnection, partition: &Partition) -> Result<()> {
    sqlx::query!("select partition_mark($1::text::regclass)", partition.name)
        .execute(&mut *conn)
        .await?;
    let (table, name) = (partition.table, &partition.name);
    let sql = format!("alter table {table} detach partition {name} concurrently");
    // Whoever adds up all rows keeps away from it; so does the next change of partitions.
    sqlx::query!("select pg_advisory_lock(hashtextextended('berth.partition.rows', 0))")
        .fetch_one(&mut *conn)
        .await?;
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await;
    sqlx::query!("select pg_advisory_unlock(hashtextextended('berth.partition.rows', 0))")
        .fetch_one(conn)
        .await?;
    done?;
    Ok(())
}
