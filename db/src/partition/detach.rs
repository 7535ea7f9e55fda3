//! The one change of partitions that no function and no transaction may hold.

use sqlx::{AssertSqlSafe, PgConnection};

use super::Partition;
use crate::error::Result;

/// Takes a partition out of its table while others read and write; it waits for those who had begun
/// before. Not within a transaction. The names are the catalog's.
pub async fn detach(conn: &mut PgConnection, partition: &Partition) -> Result<()> {
    sqlx::query!("select partition_mark($1::text::regclass)", partition.name)
        .execute(&mut *conn)
        .await?;
    let (table, name) = (partition.table, &partition.name);
    let sql = format!("alter table {table} detach partition {name} concurrently");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}
