//! Partitions that have served their time go to the object store: written, signed and read back before
//! anything is dropped.

use std::fs::File;

use archive::{Column, Digest};
use contract::partition::{ArchiveInput, TableInput};
use db::PgConnection;
use db::archive::{Archive, NewArchive};
use db::disposable::{Disposable, DisposableTransaction};
use db::partition::Partition;
use domain::data_growth::Guarded;
use domain::id::ArchiveId;
use domain::object_path::{Namespace, ObjectKey};
use domain::partition::Archiving;
use domain::signed_document::ArchiveManifest;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::due::{Due, due};
use super::rows::{self, Passed};
use super::{Partitions, value};
use crate::refusal::Refusal;
use crate::{audit, document};

/// The form of the manifest and of the file that it tells of.
const FORMAT: &str = "berth-archive/1";
/// A manifest has some kilobytes.
const MANIFEST_BYTES: u64 = 1 << 20;
const OTHER_COLUMNS: &str = "it has columns that its archive has not";
const OTHER_ROWS: &str = "its rows are not those of its archive";

/// Whether a table's partitions have to lie elsewhere before they are dropped.
pub(super) async fn is_archived(conn: &mut PgConnection, table: Guarded) -> Result<bool, Refusal> {
    match table.settings().archive {
        Archiving::Always => Ok(true),
        Archiving::If(policy) => Ok(value(conn, policy).await? == 1),
    }
}

/// The table that an archive was made of.
fn as_partition(known: Archive) -> Partition {
    Partition {
        table: known.table,
        name: known.partition,
        since: known.since,
        until: known.until,
        rows: known.rows,
        bytes: known.bytes,
        held_until: known.held_until,
    }
}

impl Partitions {
    /// Archives the oldest partition that has served its time; its name. `now`: `None` for the
    /// database's.
    pub async fn archive_at(
        &self,
        input: TableInput,
        now: Option<OffsetDateTime>,
    ) -> Result<Option<String>, Refusal> {
        let table = input.table;
        let mut conn = self.owner.acquire().await?;
        if !is_archived(&mut conn, table).await? {
            return Ok(None);
        }
        let (partition, known) = match due(&mut conn, table, now).await? {
            Some(Due::Attached(partition)) => {
                let known = db::archive::of_partition(&mut conn, &partition.name).await?;
                (partition, known)
            }
            // Somebody was killed before he dropped it: its archive has to be sound still. Where there
            // is none, none was asked for when it was detached.
            Some(Due::Detached(name)) => match db::archive::of_partition(&mut conn, &name).await? {
                Some(known) => (as_partition(known.clone()), Some(known)),
                None => return Ok(None),
            },
            None => return Ok(None),
        };
        drop(conn);
        if let Some(known) = known {
            if self.has_rows_of(&known).await? {
                match self.prove_whole(&known).await {
                    Ok(()) => return Ok(Some(partition.name)),
                    Err(refusal) if refusal.is_conflict() => {
                        tracing::warn!(?refusal, "it is archived anew");
                    }
                    Err(refusal) => return Err(refusal),
                }
            } else if matches!(table.settings().archive, Archiving::Always) {
                // Rows that nobody may change: no new archive is to hide that.
                return Err(Refusal::conflict(partition.name, OTHER_ROWS));
            }
        }
        let written = self.write(&partition).await?;
        let new = written.as_new(&partition);
        self.prove_archive(&new).await?;
        let mut tx = self.change(input).await?;
        db::archive::keep(&mut tx, &new).await?;
        audit::partition(&mut tx, input.maintenance_id, "archive", &partition.name).await?;
        tx.commit().await?;
        let text = format!("{}: {} rows", partition.name, new.rows);
        self.tell(input.maintenance_id, "archive", &text).await?;
        Ok(Some(partition.name))
    }

    /// Reads an archive back; the name of its partition.
    pub async fn read_back(&self, input: ArchiveInput) -> Result<String, Refusal> {
        let mut conn = self.pool.acquire().await?;
        let known = find(&mut conn, input.archive_id).await?;
        self.prove_archive(&known.as_new()).await?;
        db::archive::verified(&mut conn, known.id).await?;
        drop(conn);
        let text = format!("{}: {} rows, as they were", known.partition, known.rows);
        self.tell(input.maintenance_id, "verify", &text).await?;
        Ok(known.partition)
    }

    /// Refuses to let a detached table go whose rows are not those of its archive.
    pub(super) async fn compare(&self, table: Guarded, name: &str) -> Result<(), Refusal> {
        let mut conn = self.pool.acquire().await?;
        let known = db::archive::of_partition(&mut conn, name).await?;
        drop(conn);
        match known {
            Some(known) if self.has_rows_of(&known).await? => self.prove_columns(&known).await,
            Some(_) => Err(Refusal::conflict(name, OTHER_ROWS)),
            None if matches!(table.settings().archive, Archiving::Always) => {
                Err(Refusal::conflict(name, "it was not archived"))
            }
            // None was asked for when it was detached.
            None => Ok(()),
        }
    }

    /// Whether a table, attached or not, has the rows of its archive, in the columns that they had.
    async fn has_rows_of(&self, known: &Archive) -> Result<bool, Refusal> {
        let columns = columns_of(&known.as_new())?;
        let mut conn = Disposable::of(&self.owner).await?;
        let mut tx = snapshot(&mut conn, known.table).await?;
        let there = rows::read(&mut tx, &known.partition, &columns, None).await?;
        Ok(there.digest.0 == known.rows_sha256)
    }

    /// Refuses an archive that is not sound, or lacks what a migration has added since.
    pub(super) async fn prove_whole(&self, known: &Archive) -> Result<(), Refusal> {
        self.prove_archive(&known.as_new()).await?;
        self.prove_columns(known).await
    }

    async fn prove_columns(&self, known: &Archive) -> Result<(), Refusal> {
        let mut conn = self.owner.acquire().await?;
        let there = rows::columns(&mut conn, &known.partition).await?;
        if there == columns_of(&known.as_new())? {
            Ok(())
        } else {
            Err(Refusal::conflict(&known.partition, OTHER_COLUMNS))
        }
    }

    async fn write(&self, partition: &Partition) -> Result<Written, Refusal> {
        let name = &partition.name;
        let local = |error: std::io::Error| Refusal::Away(format!("{name}: {error}"));
        let file = tempfile::tempfile().map_err(local)?;
        let into = file.try_clone().map_err(local)?;
        let mut conn = Disposable::of(&self.owner).await?;
        let mut tx = snapshot(&mut conn, partition.table).await?;
        let written_at = db::clock::now(&mut tx).await?;
        let columns = rows::columns(&mut tx, name).await?;
        let passed = rows::read(&mut tx, name, &columns, Some(into)).await?;
        // What follows takes as long as the store does.
        tx.commit().await?;
        let (file, length, digest) = rows::hash(name, file).await?;
        // By their digest: what is written twice is written to the same place.
        let path = format!("{}/{name}/{}.parquet", partition.table, passed.digest);
        let key = object(&path)?;
        self.objects.put(&key, file).await?;
        let bytes = i64::try_from(length).unwrap_or(i64::MAX);
        let members = manifest(
            partition,
            &columns,
            &passed,
            (bytes, digest),
            &key,
            written_at,
        )?;
        let (manifest, text) =
            document::sign::<ArchiveManifest>(&self.signer, name, members).await?;
        let at = beside(&path, &text)?;
        self.objects.put_bytes(&at, &text).await?;
        Ok(Written {
            id: db::id::fresh(),
            passed,
            bytes,
            digest,
            path,
            manifest,
        })
    }

    /// Whether what is known of an archive was signed, and lies in the store, too. Returns its columns.
    pub(super) async fn prove_manifest(&self, of: &NewArchive<'_>) -> Result<Vec<Column>, Refusal> {
        let refused = |why: &str| Refusal::conflict(of.partition, why);
        let text = document::canonical(of.partition, of.manifest)?;
        let at = beside(of.object_path, &text)?;
        if self.objects.get_bytes(&at, MANIFEST_BYTES).await? != text {
            return Err(refused("the manifest is not the one that was signed"));
        }
        if !document::holds::<ArchiveManifest>(&self.pool, of.manifest).await? {
            return Err(refused("the signature of the manifest does not hold"));
        }
        let says = |member: &str, value: Value| of.manifest.get(member) == Some(&value);
        if !(says("format", json!(FORMAT))
            && says("table", json!(of.table))
            && says("partition", json!(of.partition))
            && says("since", json!(of.since.map(stamp).transpose()?))
            && says("until", json!(stamp(of.until)?))
            && says("file", json!(object(of.object_path)?.to_string()))
            && says("row_count", json!(of.rows))
            && says("rows_sha256", json!(Digest(of.rows_sha256).to_string()))
            && says("file_bytes", json!(of.bytes))
            && says("file_sha256", json!(Digest(of.file_sha256).to_string())))
        {
            return Err(refused("the manifest says something else than is known"));
        }
        columns_of(of)
    }

    /// Whether all of an archive is there, signed, and what was written: its manifest, its file, each
    /// row of it. Returns the file.
    pub(super) async fn prove_archive(
        &self,
        of: &NewArchive<'_>,
    ) -> Result<(File, Vec<Column>), Refusal> {
        let refused = |why: &str| Refusal::conflict(of.partition, why);
        let columns = self.prove_manifest(of).await?;
        let limit = u64::try_from(of.bytes).unwrap_or(0);
        let file = self.objects.get(&object(of.object_path)?, limit).await?;
        let (file, length, digest) = rows::hash(of.partition, file).await?;
        if i64::try_from(length) != Ok(of.bytes) || digest.0 != of.file_sha256 {
            return Err(refused("the file is not the one that was written"));
        }
        let again = file.try_clone();
        let again = again.map_err(|error| Refusal::Away(error.to_string()))?;
        let passed = rows::of_file(of.partition, again, &columns).await?;
        if i64::try_from(passed.rows) != Ok(of.rows) || passed.digest.0 != of.rows_sha256 {
            return Err(refused(
                "the rows of the file are not those of the partition",
            ));
        }
        Ok((file, columns))
    }
}

/// A transaction that sees one state of the database, and acts as the owner of a table.
async fn snapshot(
    conn: &mut Disposable,
    table: Guarded,
) -> Result<DisposableTransaction<'_>, Refusal> {
    let mut tx = conn.begin().await?;
    db::partition::snapshot(&mut tx, table).await?;
    Ok(tx)
}

/// What was put into the object store.
struct Written {
    id: ArchiveId,
    passed: Passed,
    bytes: i64,
    digest: Digest,
    path: String,
    manifest: Value,
}

impl Written {
    fn as_new<'a>(&'a self, partition: &'a Partition) -> NewArchive<'a> {
        NewArchive {
            id: self.id,
            table: partition.table,
            partition: &partition.name,
            since: partition.since,
            until: partition.until,
            rows: i64::try_from(self.passed.rows).unwrap_or(i64::MAX),
            bytes: self.bytes,
            rows_sha256: self.passed.digest.0,
            file_sha256: self.digest.0,
            object_path: &self.path,
            manifest: &self.manifest,
        }
    }
}

pub(super) async fn find(conn: &mut PgConnection, id: ArchiveId) -> Result<Archive, Refusal> {
    let found = db::archive::find(conn, id).await?;
    found.ok_or_else(|| Refusal::conflict(id, "there is no such archive"))
}

fn object(path: &str) -> Result<ObjectKey, Refusal> {
    document::object(Namespace::Archives, path)
}

/// Where the manifest of a file is that has this text. It goes by its own digest: whoever writes a file
/// once more does not write over another's manifest.
fn beside(path: &str, text: &[u8]) -> Result<ObjectKey, Refusal> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    object(&format!("{folder}/{}.json", Digest::of(text)))
}

/// Columns that an archive has.
fn columns_of(of: &NewArchive<'_>) -> Result<Vec<Column>, Refusal> {
    let columns = of.manifest.get("columns").cloned().unwrap_or_default();
    serde_json::from_value(columns).map_err(|_| {
        Refusal::conflict(
            of.partition,
            "the manifest names columns that are not known",
        )
    })
}

fn stamp(at: OffsetDateTime) -> Result<String, Refusal> {
    at.format(&Rfc3339)
        .map_err(|error| Refusal::conflict(at, error))
}

fn manifest(
    partition: &Partition,
    columns: &[Column],
    passed: &Passed,
    (bytes, digest): (i64, Digest),
    key: &ObjectKey,
    written_at: OffsetDateTime,
) -> Result<Map<String, Value>, Refusal> {
    let members = json!({
        "format": FORMAT,
        "schema_version": db::schema_version(),
        "table": partition.table,
        "partition": partition.name,
        "since": partition.since.map(stamp).transpose()?,
        "until": stamp(partition.until)?,
        "row_count": passed.rows,
        "rows_sha256": passed.digest.to_string(),
        "first_id": passed.ends.map(|(first, _)| first),
        "last_id": passed.ends.map(|(_, last)| last),
        "columns": columns,
        "file": key.to_string(),
        "file_bytes": bytes,
        "file_sha256": digest.to_string(),
        "written_at": stamp(written_at)?,
    });
    match members {
        Value::Object(members) => Ok(members),
        _ => Ok(Map::new()),
    }
}
