//! Partitions that have served their time go to the object store: written, signed and read back before
//! anything is dropped.

use std::fs::File;

use archive::{Column, Digest};
use contract::partition::{ArchiveInput, TableInput};
use db::archive::{Archive, NewArchive};
use db::partition::Partition;
use db::{PgConnection, Postgres, Transaction};
use domain::data_growth::Guarded;
use domain::id::ArchiveId;
use domain::object_path::{Namespace, ObjectKey};
use domain::partition::Archiving;
use domain::signed_document::{self, ArchiveManifest};
use domain::signing_key::Purpose;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::rows::{self, Passed};
use super::{Due, Partitions, due, value};
use crate::audit;
use crate::receipt::sign_document;
use crate::refusal::Refusal;

/// The form of the manifest and of the file that it tells of.
const FORMAT: &str = "berth-archive/1";
/// A manifest has some kilobytes.
const MANIFEST_BYTES: u64 = 1 << 20;

/// Whether a table's partitions have to lie elsewhere before they are dropped.
pub(super) async fn is_archived(conn: &mut PgConnection, table: Guarded) -> Result<bool, Refusal> {
    match table.settings().archive {
        Archiving::Always => Ok(true),
        Archiving::If(policy) => Ok(value(conn, policy).await? == 1),
    }
}

/// The archive that a partition has to have.
pub(super) async fn expect(conn: &mut PgConnection, name: &str) -> Result<Archive, Refusal> {
    let found = db::archive::of_partition(conn, name).await?;
    found.ok_or_else(|| Refusal::conflict(name, "it was not archived"))
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
        let partition = match due(&mut conn, table, now).await? {
            Some(Due::Attached(partition)) => partition,
            // Somebody was killed before he dropped it: its archive has to be sound still.
            Some(Due::Detached(name)) => as_partition(expect(&mut conn, &name).await?),
            None => return Ok(None),
        };
        drop(conn);
        let mut tx = self.snapshot(table).await?;
        let columns = rows::columns(&mut tx, table).await?;
        let known = db::archive::of_partition(&mut tx, &partition.name).await?;
        if let Some(known) = known {
            let there = rows::read(&mut tx, &partition.name, &columns, None).await?;
            let sound = there.digest.0 == known.rows_sha256
                && self.prove_archive(&known.as_new()).await.is_ok();
            if sound {
                return Ok(Some(partition.name));
            }
        }
        let written = self.write(&mut tx, &partition, columns).await?;
        let new = written.as_new(&partition);
        self.prove_archive(&new).await?;
        tx.commit().await?;
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
        let mut tx = self.snapshot(table).await?;
        let Some(known) = db::archive::of_partition(&mut tx, name).await? else {
            if is_archived(&mut tx, table).await? {
                return Err(Refusal::conflict(name, "it was not archived"));
            }
            return Ok(());
        };
        let columns = rows::columns(&mut tx, table).await?;
        let there = rows::read(&mut tx, name, &columns, None).await?;
        if there.digest.0 != known.rows_sha256 {
            return Err(Refusal::conflict(
                name,
                "its rows are not those of its archive",
            ));
        }
        Ok(())
    }

    /// A transaction of the owner's that sees one state of the database.
    async fn snapshot(&self, table: Guarded) -> Result<Transaction<'static, Postgres>, Refusal> {
        let mut tx = self.owner.begin().await?;
        db::partition::snapshot(&mut tx, table).await?;
        Ok(tx)
    }

    async fn write(
        &self,
        conn: &mut PgConnection,
        partition: &Partition,
        columns: Vec<Column>,
    ) -> Result<Written, Refusal> {
        let name = &partition.name;
        let local = |error: std::io::Error| Refusal::Away(format!("{name}: {error}"));
        let file = tempfile::tempfile().map_err(local)?;
        let into = file.try_clone().map_err(local)?;
        let passed = rows::read(conn, name, &columns, Some(into)).await?;
        let (file, length, digest) = rows::hash(name, file).await?;
        // By their digest: what is written twice is written to the same place.
        let path = format!("{}/{name}/{}.parquet", partition.table, passed.digest);
        let key = object(&path)?;
        self.objects.put(&key, file).await?;
        let bytes = i64::try_from(length).unwrap_or(i64::MAX);
        let written_at = db::clock::now(conn).await?;
        let members = manifest(
            partition,
            &columns,
            &passed,
            (bytes, digest),
            &key,
            written_at,
        )?;
        let signing = self.signer.active(Purpose::JwtSigner).await;
        let signing = signing.map_err(|error| Refusal::Away(format!("{name}: {error}")))?;
        let signed = sign_document::<ArchiveManifest>(members, &signing);
        let signed = signed.map_err(|error| Refusal::Away(format!("{name}: {error:?}")))?;
        let manifest = signed.as_json().clone();
        let text = serde_json::to_vec(&manifest).unwrap_or_default();
        self.objects.put_bytes(&beside(&path)?, &text).await?;
        Ok(Written {
            id: db::id::fresh(),
            passed,
            bytes,
            digest,
            path,
            manifest,
        })
    }

    /// Whether all of an archive is there, signed, and what was written: its manifest, its file, each
    /// row of it. Returns the file.
    pub(super) async fn prove_archive(
        &self,
        of: &NewArchive<'_>,
    ) -> Result<(File, Vec<Column>), Refusal> {
        let refused = |why: &str| Refusal::conflict(of.partition, why);
        let at = beside(of.object_path)?;
        let text = self.objects.get_bytes(&at, MANIFEST_BYTES).await?;
        if serde_json::from_slice::<Value>(&text).ok().as_ref() != Some(of.manifest) {
            return Err(refused("the manifest is not the one that was signed"));
        }
        let claim = signed_document::claim::<ArchiveManifest>(of.manifest);
        let claim = claim.map_err(|_| refused("the manifest is not signed"))?;
        // Not in the snapshot of whoever asks: the key may be younger than that.
        let mut conn = self.pool.acquire().await?;
        let key = db::signing_key::public(&mut conn, &claim.kid).await?;
        drop(conn);
        let holds =
            key.is_some_and(|key| platform::signing::verify(&key, &claim.input, &claim.signature));
        if !holds {
            return Err(refused("the signature of the manifest does not hold"));
        }
        let says = |member: &str, value: Value| of.manifest.get(member) == Some(&value);
        if !(says("format", json!(FORMAT))
            && says("table", json!(of.table))
            && says("partition", json!(of.partition))
            && says("row_count", json!(of.rows))
            && says("rows_sha256", json!(Digest(of.rows_sha256).to_string()))
            && says("file_bytes", json!(of.bytes))
            && says("file_sha256", json!(Digest(of.file_sha256).to_string())))
        {
            return Err(refused("the manifest says something else than is known"));
        }
        let columns = of.manifest.get("columns").cloned().unwrap_or_default();
        let columns: Vec<Column> = serde_json::from_value(columns)
            .map_err(|_| refused("the manifest names columns that are not known"))?;
        let file = self.objects.get(&object(of.object_path)?).await?;
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
    let path = path
        .parse()
        .map_err(|error| Refusal::conflict(path, error))?;
    Ok(ObjectKey {
        namespace: Namespace::Archives,
        path,
    })
}

/// Where the manifest of a file is.
fn beside(path: &str) -> Result<ObjectKey, Refusal> {
    let stem = path.strip_suffix(".parquet").unwrap_or(path);
    object(&format!("{stem}.json"))
}

fn manifest(
    partition: &Partition,
    columns: &[Column],
    passed: &Passed,
    (bytes, digest): (i64, Digest),
    key: &ObjectKey,
    written_at: OffsetDateTime,
) -> Result<Map<String, Value>, Refusal> {
    let text = |at: OffsetDateTime| {
        let text = at.format(&Rfc3339);
        text.map_err(|error| Refusal::conflict(&partition.name, error))
    };
    let members = json!({
        "format": FORMAT,
        "table": partition.table,
        "partition": partition.name,
        "since": partition.since.map(text).transpose()?,
        "until": text(partition.until)?,
        "row_count": passed.rows,
        "rows_sha256": passed.digest.to_string(),
        "first_id": passed.ends.map(|(first, _)| first),
        "last_id": passed.ends.map(|(_, last)| last),
        "columns": columns,
        "file": key.to_string(),
        "file_bytes": bytes,
        "file_sha256": digest.to_string(),
        "written_at": text(written_at)?,
    });
    match members {
        Value::Object(members) => Ok(members),
        _ => Ok(Map::new()),
    }
}
