//! The audit log is sealed behind everybody's back: no change waits for another one's entry.

mod entry;

use std::collections::HashMap;
use std::sync::Arc;

use archive::{Decoder, Digest};
use contract::audit::{Checkpoint, Seal};
use db::PgPool;
use db::audit_chain::{Link, Moved};
use db::disposable::{Disposable, DisposableTransaction};
use domain::audit_chain::Head;
use domain::id::{AuditId, OrgId};
use domain::object_path::Namespace;
use domain::policy::{self, Scope};
use domain::signed_document::AuditHead;
use futures::TryStreamExt as _;
use platform::objects::Objects;
use platform::signing::Signer;
use serde_json::{Map, Value, json};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use time::Duration;
use time::format_description::well_known::Rfc3339;

pub(crate) use self::entry::{Entry, columns};
use crate::document;
use crate::machine::beat;
use crate::refusal::Refusal;

/// Entries that are looked at in one transaction.
const BATCH: u32 = 1_000;
/// Heads of one document.
const HEADS: usize = 20_000;
/// The form of the document.
pub(crate) const FORMAT: &str = "berth-audit-head/1";

/// The steps, on a pool of the role `berth_worker`.
#[derive(Debug, Clone)]
pub struct AuditChain {
    pub pool: PgPool,
    pub objects: Objects,
    pub signer: Signer,
}

#[activities]
impl AuditChain {
    #[activity(definition = Seal)]
    pub async fn seal(self: Arc<Self>, ctx: ActivityContext, (): ()) -> Result<u64, ActivityError> {
        Ok(beat(&ctx, async { Ok(self.seal_all().await?) }).await?)
    }

    #[activity(definition = Checkpoint)]
    pub async fn checkpoint(
        self: Arc<Self>,
        ctx: ActivityContext,
        (): (),
    ) -> Result<Option<i64>, ActivityError> {
        Ok(beat(&ctx, async { Ok(self.sign_heads().await?) }).await?)
    }
}

impl AuditChain {
    /// Seals until nothing waits for it; how many entries there were.
    pub async fn seal_all(&self) -> Result<u64, Refusal> {
        let (mut all, mut after) = (0, None);
        loop {
            let (sealed, last) = self.seal_some(after).await?;
            all += sealed;
            if last.is_none() {
                return Ok(all);
            }
            after = last;
        }
    }

    /// How many entries behind `after` were sealed, and the last that was looked at. One that cannot be
    /// sealed keeps no other from it; the proof names it.
    async fn seal_some(&self, after: Option<AuditId>) -> Result<(u64, Option<AuditId>), Refusal> {
        let mut conn = Disposable::of(&self.pool).await?;
        let mut tx = conn.begin().await?;
        db::audit_chain::alone(&mut tx).await?;
        let Waiting {
            entries,
            unreadable,
            last,
        } = waiting(&mut tx, after).await?;
        if !unreadable.is_empty() {
            tracing::error!(?unreadable, "entries that cannot be sealed");
        }
        let mut orgs: Vec<_> = entries.iter().map(|entry| entry.org_id).collect();
        orgs.sort_unstable();
        orgs.dedup();
        let heads = db::audit_chain::heads_of(&mut tx, &orgs).await?;
        let mut heads: HashMap<Option<OrgId>, Head> = heads.into_iter().collect();
        let mut links = Vec::with_capacity(entries.len());
        for entry in &entries {
            let head = heads.entry(entry.org_id).or_insert(Head::EMPTY);
            let next = head.followed_by(&entry.members);
            *head = next.ok_or_else(|| Refusal::conflict(entry.id, "its chain is full"))?;
            links.push(Link {
                org_id: entry.org_id,
                entry: entry.id,
                head: *head,
            });
        }
        db::audit_chain::append(&mut tx, &links).await?;
        tx.commit().await?;
        Ok((links.len().try_into().unwrap_or(u64::MAX), last))
    }

    /// Signs and exports the heads that have moved, if the last ones are old enough; the number of the
    /// last document.
    pub async fn sign_heads(&self) -> Result<Option<i64>, Refusal> {
        let mut conn = self.pool.acquire().await?;
        let every = db::policy::resolve(&mut conn, &policy::AUDIT_CHECKPOINT, Scope::Platform);
        let every = Duration::seconds(every.await?);
        let now = db::clock::now(&mut conn).await?;
        let last = db::audit_chain::last_checkpoint(&mut conn).await?;
        drop(conn);
        if last.is_some_and(|last| now - last.created_at < every) {
            return Ok(None);
        }
        let mut number = None;
        loop {
            let Some((signed, heads)) = self.sign_some().await? else {
                return Ok(number);
            };
            number = Some(signed);
            if heads < HEADS {
                return Ok(number);
            }
        }
    }

    /// One document: its number, and how many heads it has.
    async fn sign_some(&self) -> Result<Option<(i64, usize)>, Refusal> {
        let mut conn = self.pool.acquire().await?;
        let heads = db::audit_chain::moved(&mut conn, HEADS.try_into().unwrap_or(i64::MAX)).await?;
        if heads.is_empty() {
            return Ok(None);
        }
        let last = db::audit_chain::last_checkpoint(&mut conn).await?;
        let written_at = db::clock::now(&mut conn).await?;
        drop(conn);
        let number = last.as_ref().map_or(1, |last| last.number + 1);
        let previous = last.map(|last| Digest(last.sha256).to_string());
        let stamp = written_at.format(&Rfc3339);
        let stamp = stamp.map_err(|error| Refusal::conflict(number, error))?;
        let mut members = Map::new();
        members.insert("format".to_owned(), json!(FORMAT));
        members.insert("number".to_owned(), json!(number));
        members.insert("previous_sha256".to_owned(), json!(previous));
        members.insert("heads".to_owned(), heads.iter().map(shown).collect());
        members.insert("written_at".to_owned(), json!(stamp));
        let what = number.to_string();
        let (_, text) = document::sign::<AuditHead>(&self.signer, &what, members).await?;
        let digest = Digest::of(&text);
        // By its digest, too: whoever was killed before he wrote it down left another one.
        let path = format!("{number:012}-{digest}.json");
        let key = document::object(Namespace::AuditHeads, &path)?;
        self.objects.put_bytes(&key, &text).await?;
        let new = db::audit_chain::Checkpoint {
            number,
            object_path: path,
            sha256: digest.0,
            head_count: heads.len().try_into().unwrap_or(i32::MAX),
            created_at: written_at,
        };
        let mut tx = self.pool.begin().await?;
        db::audit_chain::alone(&mut tx).await?;
        db::audit_chain::keep_checkpoint(&mut tx, &new, &heads).await?;
        tx.commit().await?;
        Ok(Some((number, heads.len())))
    }
}

fn shown(moved: &Moved) -> Value {
    json!({
        "organization_id": moved.org_id,
        "seq": moved.head.seq,
        "sha256": Digest(moved.head.hash).to_string(),
    })
}

/// Entries that wait to be sealed.
pub(crate) struct Waiting {
    entries: Vec<Entry>,
    /// Those that have no form, which somebody has changed.
    pub(crate) unreadable: Vec<AuditId>,
    /// The last that was looked at.
    last: Option<AuditId>,
}

/// The oldest entries behind `after` that wait to be sealed.
pub(crate) async fn waiting(
    conn: &mut DisposableTransaction<'_>,
    after: Option<AuditId>,
) -> Result<Waiting, Refusal> {
    let broken = |error: archive::Error| Refusal::conflict("audit_logs", error);
    let (columns, mut decoder) = (columns(), Decoder::default());
    let mut found = Waiting {
        entries: Vec::new(),
        unreadable: Vec::new(),
        last: None,
    };
    let mut pieces = db::audit_chain::copy_unsealed(conn, after, BATCH).await?;
    while let Some(piece) = pieces.try_next().await? {
        decoder.push(piece.as_ref());
        while let Some(row) = decoder.row().map_err(broken)? {
            let id = entry::id(&row).ok_or_else(|| broken(archive::Error::Columns))?;
            found.last = Some(id);
            match Entry::of(&columns, &row) {
                Ok(entry) => found.entries.push(entry),
                Err(_) => found.unreadable.push(id),
            }
        }
    }
    decoder.finish().map_err(broken)?;
    Ok(found)
}
