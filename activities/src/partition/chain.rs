//! Proves the chains of the audit log: what is in the database, what is signed, what lies in archives.

mod archived;
mod signed;

use std::collections::HashMap;

use archive::{Column, Row};
use db::PgConnection;
use db::disposable::{Disposable, DisposableTransaction};
use domain::audit_chain::{Fault, Finding, Hash, Head, Proof};
use domain::data_growth::Guarded;
use domain::id::{AuditId, OrgId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Partitions;
use super::rows::{self, Rows};
use crate::audit_chain::{Entry, columns, waiting};
use crate::refusal::Refusal;

/// What a link has beside its entry.
const OF_THE_LINK: usize = 4;
const TABLE: Guarded = Guarded::AuditLogs;

/// A time whose entries are in an archive alone.
type Gone = (Option<OffsetDateTime>, OffsetDateTime);

impl Partitions {
    /// What is wrong with the audit log. With `archives`, what lies in those is read, too.
    pub async fn prove_chains(&self, archives: bool) -> Result<Proof, Refusal> {
        let mut conn = Disposable::of(&self.pool).await?;
        let mut tx = conn.begin().await?;
        db::audit_chain::snapshot(&mut tx).await?;
        let gone = db::archive::gone(&mut tx, TABLE).await?;
        let (mut times, mut unsound) = (Vec::new(), Vec::new());
        for one in &gone {
            // Only what was signed says that entries are elsewhere.
            match self.prove_manifest(&one.as_new()).await {
                Ok(_) => times.push((one.since, one.until)),
                Err(refusal) if refusal.is_conflict() => unsound.push(&one.partition),
                Err(refusal) => return Err(refusal),
            }
        }
        let (mut proof, ends) = walk(&mut tx, times).await?;
        for name in unsound {
            proof.find(Finding::new(Fault::ArchiveChanged).with(name));
        }
        compare_heads(&mut tx, &mut proof, ends).await?;
        for (id, org) in db::audit_chain::strays(&mut tx).await? {
            let finding = Finding::new(Fault::EntryInserted).of(id);
            proof.find(Finding {
                organization_id: org,
                ..finding
            });
        }
        for id in db::audit_chain::ghosts(&mut tx).await? {
            proof.find(Finding::new(Fault::EntryMissing).of(id));
        }
        for id in waiting(&mut tx, None).await?.unreadable {
            proof.find(Finding::new(Fault::EntryChanged).of(id));
        }
        tx.commit().await?;
        self.prove_signed(&mut proof).await?;
        if archives {
            for one in &gone {
                self.prove_archived(one, &mut proof).await?;
            }
        }
        Ok(proof)
    }
}

/// Where each chain should end, and where it does.
async fn compare_heads(
    conn: &mut PgConnection,
    proof: &mut Proof,
    mut ends: HashMap<Option<OrgId>, Head>,
) -> Result<(), Refusal> {
    for (org, head) in db::audit_chain::heads(conn).await? {
        let end = ends.remove(&org).unwrap_or(Head::EMPTY);
        if end != head {
            let seq = end.seq.min(head.seq) + i64::from(end.seq != head.seq);
            proof.find(Finding::new(Fault::HeadMoved).at(org, seq));
        }
    }
    for (org, _) in ends {
        proof.find(Finding::new(Fault::HeadMoved).at(org, 1));
    }
    Ok(())
}

/// Goes along all chains.
async fn walk(
    conn: &mut DisposableTransaction<'_>,
    gone: Vec<Gone>,
) -> Result<(Proof, HashMap<Option<OrgId>, Head>), Refusal> {
    let work = move |mut rows: Rows| {
        let mut walker = Walker::new(gone);
        while let Some(row) = rows.next()? {
            walker.step(row)?;
        }
        Ok(walker.finish())
    };
    let pieces = db::audit_chain::copy_chain(conn).await?;
    rows::hand("audit_links", pieces, work).await
}

/// Where somebody is who goes along the chains, one after the other.
struct Walker {
    columns: Vec<Column>,
    gone: Vec<Gone>,
    org: Option<OrgId>,
    head: Head,
    ends: HashMap<Option<OrgId>, Head>,
    proof: Proof,
}

impl Walker {
    fn new(gone: Vec<Gone>) -> Self {
        Self {
            columns: columns(),
            gone,
            org: None,
            head: Head::EMPTY,
            ends: HashMap::new(),
            proof: Proof::default(),
        }
    }

    fn step(&mut self, mut row: Row) -> archive::Result<()> {
        let entry = row.0.split_off(OF_THE_LINK.min(row.0.len()));
        let link = Link::of(&row).ok_or(archive::Error::Columns)?;
        if link.org != self.org {
            self.end();
            self.org = link.org;
        }
        let expected = std::mem::replace(&mut self.head, link.head);
        if link.head.seq != expected.seq + 1 {
            let missing = Finding::new(Fault::LinkMissing).at(link.org, expected.seq + 1);
            self.proof.find(missing);
        }
        // The id: an entry that is not there is all null.
        if entry.first().is_none_or(Option::is_none) {
            if !self.is_archived(link.entry) {
                let missing = Finding::new(Fault::EntryMissing).at(link.org, link.head.seq);
                self.proof.find(missing.of(link.entry));
            }
            return Ok(());
        }
        self.proof.entries += 1;
        // What has no form any more was changed. Behind a gap nobody knows what was before it.
        let entry = Entry::of(&self.columns, &Row(entry));
        let behind_a_gap = link.head.seq != expected.seq + 1;
        if !entry.is_ok_and(|entry| behind_a_gap || link.is_of(&entry, expected.hash)) {
            let changed = Finding::new(Fault::EntryChanged).at(link.org, link.head.seq);
            self.proof.find(changed.of(link.entry));
        }
        Ok(())
    }

    fn is_archived(&self, entry: AuditId) -> bool {
        let made = db::id::created_at(entry.uuid());
        let mut gone = self.gone.iter();
        gone.any(|(since, until)| made < *until && since.is_none_or(|since| made >= since))
    }

    fn end(&mut self) {
        let head = std::mem::replace(&mut self.head, Head::EMPTY);
        if head.seq > 0 {
            self.ends.insert(self.org, head);
        }
    }

    fn finish(mut self) -> (Proof, HashMap<Option<OrgId>, Head>) {
        self.end();
        (self.proof, self.ends)
    }
}

/// A link as `COPY` sends it.
#[derive(Debug, Clone, Copy)]
struct Link {
    org: Option<OrgId>,
    head: Head,
    entry: AuditId,
}

impl Link {
    fn of(row: &Row) -> Option<Self> {
        let [org, seq, hash, entry] = row.0.as_slice() else {
            return None;
        };
        let org = Uuid::from_slice(org.as_deref()?).ok()?;
        let seq = i64::from_be_bytes(seq.as_deref()?.try_into().ok()?);
        let hash: Hash = hash.as_deref()?.try_into().ok()?;
        let entry = Uuid::from_slice(entry.as_deref()?).ok()?;
        Some(Self {
            org: (!org.is_nil()).then(|| org.into()),
            head: Head { seq, hash },
            entry: entry.into(),
        })
    }

    /// Whether this is the link of an entry, with that before it.
    fn is_of(&self, entry: &Entry, before: Hash) -> bool {
        let before = Head {
            seq: self.head.seq - 1,
            hash: before,
        };
        entry.org_id == self.org
            && entry.id == self.entry
            && before.followed_by(&entry.members) == Some(self.head)
    }
}
