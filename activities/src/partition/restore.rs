//! An archive becomes a partition again.

use archive::Column;
use contract::partition::{ArchiveInput, TableInput};
use db::PgConnection;
use db::archive::Archive;
use db::disposable::Disposable;
use domain::policy::RESTORED_KEPT;

use super::archive::find;
use super::{Partitions, alone, done, rows, value};
use crate::audit;
use crate::refusal::Refusal;

impl Partitions {
    /// Brings an archive back; the name of its partition. One that is there already is left alone.
    pub async fn bring_back(&self, input: ArchiveInput) -> Result<String, Refusal> {
        let mut conn = self.pool.acquire().await?;
        let known = find(&mut conn, input.archive_id).await?;
        let there = db::partition::list(&mut conn, Some(known.table)).await?;
        if there.iter().any(|one| one.name == known.partition) {
            return Ok(known.partition);
        }
        if known.dropped_at.is_none() {
            let why = "its partition has not left the database";
            return Err(Refusal::conflict(known.partition, why));
        }
        let (file, columns) = self.prove_archive(&known.as_new()).await?;
        drop(conn);
        let (table, change) = (
            known.table,
            TableInput {
                maintenance_id: input.maintenance_id,
                table: known.table,
            },
        );
        let mut tx = self.change(change).await?;
        expect_columns(&mut tx, &known, &columns).await?;
        done(table, db::archive::restore_begin(&mut tx, &known).await)?;
        tx.commit().await?;
        // What takes long holds no lock that a writer waits for.
        let mut own = Disposable::of(&self.owner).await?;
        let mut tx = own.begin().await?;
        alone(&mut tx, table).await?;
        rows::write(&mut tx, &known.partition, file, &columns).await?;
        let back = rows::read(&mut tx, &known.partition, &columns, None).await?;
        if back.digest.0 != known.rows_sha256 {
            let why = "what came back is not what was archived";
            return Err(Refusal::conflict(known.partition, why));
        }
        tx.commit().await?;
        drop(own);
        let mut tx = self.change(change).await?;
        done(table, db::archive::restore_link(&mut tx, &known).await)?;
        tx.commit().await?;
        let mut tx = self.change(change).await?;
        done(table, db::archive::restore_prove(&mut tx, &known).await)?;
        tx.commit().await?;
        let mut tx = self.change(change).await?;
        let held = value(&mut tx, &RESTORED_KEPT).await?;
        done(table, db::archive::restore_end(&mut tx, &known, held).await)?;
        audit::partition(&mut tx, input.maintenance_id, "restore", &known.partition).await?;
        tx.commit().await?;
        self.analyze(table).await?;
        let text = format!("{}: {} rows", known.partition, known.rows);
        self.tell(input.maintenance_id, "restore", &text).await?;
        Ok(known.partition)
    }
}

/// Columns that were added since are left to their defaults; one that is gone is no loss to be silent
/// about.
async fn expect_columns(
    conn: &mut PgConnection,
    known: &Archive,
    columns: &[Column],
) -> Result<(), Refusal> {
    let now = rows::columns(conn, known.table.as_str()).await?;
    let lost = columns.iter().find(|column| {
        let same = |one: &&Column| one.name == column.name && one.kind == column.kind;
        !now.iter().any(|one| same(&one))
    });
    match lost {
        Some(column) => {
            let why = format!(
                "the table has no column {} as the archive has it",
                column.name
            );
            Err(Refusal::conflict(&known.partition, why))
        }
        None => Ok(()),
    }
}
