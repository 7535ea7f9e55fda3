//! The one change of partitions that no function and no transaction may hold.

use sqlx::AssertSqlSafe;

use super::Partition;
use crate::disposable::Disposable;
use crate::error::Result;

/// For how long it waits for each of those who had begun before, and others for it.
const PATIENCE: &str = "2s";

/// Takes a partition out of its table while others read and write. Whoever adds up all rows
/// ([`super::keep_still`]) keeps away meanwhile. What is given up half-way must not leave a
/// lock behind. Where it breaks off between its halves, [`super::detached`] ends it. The names are the catalog's.
pub async fn detach(conn: &mut Disposable, partition: &Partition) -> Result<()> {
    sqlx::query!("select set_config('lock_timeout', $1, false)", PATIENCE)
        .fetch_one(&mut **conn)
        .await?;
    sqlx::query!("select pg_advisory_lock(hashtextextended('berth.partition.rows', 0))")
        .fetch_one(&mut **conn)
        .await?;
    sqlx::query!("select partition_mark($1::text::regclass)", partition.name)
        .execute(&mut **conn)
        .await?;
    let (table, name) = (partition.table, &partition.name);
    let sql = format!("alter table {table} detach partition {name} concurrently");
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **conn).await;
    if done.is_err() {
        sqlx::query!("select partition_unmark($1::text::regclass)", name)
            .execute(&mut **conn)
            .await?;
    }
    done?;
    Ok(())
}
