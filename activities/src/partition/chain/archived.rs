//! Entries that are in archives alone.

use std::collections::{HashMap, HashSet};
use std::fs::File;

use archive::{Column, Reader};
use db::archive::Archive;
use db::audit_chain::LinkOf;
use domain::audit_chain::{Fault, Finding, Proof};
use domain::id::AuditId;
use tokio::sync::mpsc;

use super::{Link, Partitions, rows};
use crate::audit_chain::Entry;
use crate::refusal::Refusal;

/// Groups of rows that wait to be looked up.
const WAITING: usize = 2;
/// Entries that are looked up at once.
const BATCH: usize = 1_000;

impl Partitions {
    /// Whether an archive has just what was sealed in its time.
    pub(super) async fn prove_archived(
        &self,
        known: &Archive,
        proof: &mut Proof,
    ) -> Result<(), Refusal> {
        let name = &known.partition;
        let (file, columns) = match self.prove_archive(&known.as_new()).await {
            Ok(sound) => sound,
            Err(refusal) if refusal.is_conflict() => {
                tracing::error!(?refusal, "an archive of the audit log is not what it was");
                let finding = Finding::new(Fault::ArchiveChanged).with(name);
                // The manifest may have been found already.
                if !proof.findings.contains(&finding) {
                    proof.find(finding);
                }
                return Ok(());
            }
            Err(refusal) => return Err(refusal),
        };
        let (send, mut batches) = mpsc::channel(WAITING);
        let work = tokio::task::spawn_blocking(move || read(file, &columns, &send));
        let mut seen = HashSet::new();
        while let Some(batch) = batches.recv().await {
            self.prove_batch(name, &batch, proof).await?;
            seen.extend(batch.iter().map(|entry| entry.id));
        }
        rows::ended(name, work.await)?;
        let mut conn = self.pool.acquire().await?;
        let sealed = db::audit_chain::ids_between(&mut conn, known.since, known.until).await?;
        for (id, org, seq) in sealed {
            if !seen.contains(&id) {
                let missing = Finding::new(Fault::EntryMissing).at(org, seq).of(id);
                proof.find(missing.with(name));
            }
        }
        Ok(())
    }

    async fn prove_batch(
        &self,
        name: &str,
        batch: &[Entry],
        proof: &mut Proof,
    ) -> Result<(), Refusal> {
        let ids: Vec<AuditId> = batch.iter().map(|entry| entry.id).collect();
        let mut conn = self.pool.acquire().await?;
        let links = db::audit_chain::links_of(&mut conn, &ids).await?;
        let links: HashMap<AuditId, LinkOf> =
            links.into_iter().map(|link| (link.entry, link)).collect();
        for entry in batch {
            proof.archived_entries += 1;
            let Some(known) = links.get(&entry.id) else {
                let inserted = Finding::new(Fault::EntryInserted).of(entry.id);
                proof.find(inserted.with(name));
                continue;
            };
            let link = Link {
                org: known.org_id,
                head: known.head,
                entry: known.entry,
            };
            // Where the link before it is gone, the walk along the chain says so.
            if known
                .before
                .is_some_and(|before| !link.is_of(entry, before))
            {
                let changed = Finding::new(Fault::EntryChanged).at(known.org_id, known.head.seq);
                proof.find(changed.of(entry.id).with(name));
            }
        }
        Ok(())
    }
}

fn read(file: File, columns: &[Column], send: &mpsc::Sender<Vec<Entry>>) -> archive::Result<()> {
    let mut reader = Reader::new(file, columns.to_vec())?;
    while let Some(rows) = reader.rows()? {
        for some in rows.chunks(BATCH) {
            // One that has no form is missed.
            let entries = some.iter().filter_map(|row| Entry::of(columns, row).ok());
            let entries: Vec<_> = entries.collect();
            if send.blocking_send(entries).is_err() {
                return Ok(()); // Whoever looks them up says why.
            }
        }
    }
    Ok(())
}
