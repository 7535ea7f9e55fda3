//! The chains of the audit log, and their signed heads.

mod checkpoint;
mod proof;

use domain::audit_chain::{Hash, Head};
use domain::id::{AuditId, OrgId};
use futures::stream::BoxStream;
use sqlx::PgConnection;
use uuid::Uuid;

pub use self::checkpoint::{
    Checkpoint, Moved, keep_checkpoint, last_checkpoint, list_checkpoints, moved,
};
pub use self::proof::{
    LinkOf, copy_chain, ghosts, hashes_at, heads, ids_between, links_of, snapshot, strays,
};
use crate::disposable::DisposableTransaction;
use crate::error::{Error, Result};

const TABLE: &str = "audit_links";
/// Columns of [`domain::audit_chain::ENTRY`].
const ENTRY: &str =
    "a.id, a.created_at, a.org_id, a.actor_kind, a.actor_id, a.user_id, a.action, a.resource_kind,
                     a.resource_id, a.outcome, a.reason, a.request_id, a.detail";

/// A new link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// `None`: of no organization.
    pub org_id: Option<OrgId>,
    pub entry: AuditId,
    /// The chain with it.
    pub head: Head,
}

/// How the chain of no organization goes by in the tables.
fn key(org: Option<OrgId>) -> Uuid {
    org.map_or(Uuid::nil(), OrgId::uuid)
}

fn org(key: Uuid) -> Option<OrgId> {
    (!key.is_nil()).then(|| key.into())
}

fn hash(row: impl std::fmt::Display, bytes: &[u8]) -> Result<Hash> {
    bytes.try_into().map_err(|_| Error::Inconsistent {
        table: TABLE,
        column: "hash",
        row: row.to_string(),
    })
}

/// Keeps every other sealer away until the transaction ends.
pub async fn alone(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('berth.audit_chain', 0))")
        .execute(conn)
        .await?;
    Ok(())
}

/// The oldest entries behind `after` that are in no chain yet, in the binary form of COPY; columns as
/// [`domain::audit_chain::ENTRY`].
pub async fn copy_unsealed<'c>(
    conn: &'c mut DisposableTransaction<'_>,
    after: Option<AuditId>,
    limit: u32,
) -> Result<BoxStream<'c, sqlx::Result<impl AsRef<[u8]> + use<>>>> {
    let after = after.map_or(Uuid::nil(), AuditId::uuid);
    let sql = format!(
        "copy (select {ENTRY} from audit_unsealed u
               join audit_logs a on a.id = u.audit_id and a.created_at = u.created_at
               where u.audit_id > '{after}' order by u.audit_id limit {limit}) to stdout (format binary)"
    );
    Ok(conn.copy_out_raw(&sql).await?)
}

/// Where the chains of these organizations are; those that are empty are left out.
pub async fn heads_of(
    conn: &mut PgConnection,
    orgs: &[Option<OrgId>],
) -> Result<Vec<(Option<OrgId>, Head)>> {
    let keys: Vec<Uuid> = orgs.iter().map(|org| key(*org)).collect();
    let rows = sqlx::query!(
        "select org_id, seq, hash from audit_heads where org_id = any ($1)",
        &keys
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let hash = hash(row.org_id, &row.hash)?;
            Ok((org(row.org_id), Head { seq: row.seq, hash }))
        })
        .collect()
}

/// Adds links, in the order of their chains; their entries wait no longer.
pub async fn append(conn: &mut PgConnection, links: &[Link]) -> Result<()> {
    let orgs: Vec<Uuid> = links.iter().map(|link| key(link.org_id)).collect();
    let seqs: Vec<i64> = links.iter().map(|link| link.head.seq).collect();
    let entries: Vec<Uuid> = links.iter().map(|link| link.entry.uuid()).collect();
    let hashes: Vec<Vec<u8>> = links.iter().map(|link| link.head.hash.to_vec()).collect();
    sqlx::query!(
        "insert into audit_links (org_id, seq, audit_id, hash)
         select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bytea[])",
        &orgs,
        &seqs,
        &entries,
        &hashes,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into audit_heads (org_id, seq, hash)
         select distinct on (org_id) org_id, seq, hash
         from unnest($1::uuid[], $2::bigint[], $3::bytea[]) as l (org_id, seq, hash)
         order by org_id, seq desc
         on conflict (org_id) do update
           set seq = excluded.seq, hash = excluded.hash,
               moved_at = case when audit_heads.seq > audit_heads.signed_seq then audit_heads.moved_at else clock_timestamp() end",
        &orgs,
        &seqs,
        &hashes,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "delete from audit_unsealed where audit_id = any ($1)",
        &entries
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How far the sealer is behind.
#[derive(Debug, Clone, Copy)]
pub struct Lag {
    /// Age of the oldest entry that is in no chain.
    pub seal_seconds: f64,
    /// For how long the oldest head is not signed that has moved.
    pub checkpoint_seconds: f64,
}

pub async fn lag(conn: &mut PgConnection) -> Result<Lag> {
    let lag = sqlx::query_as!(
        Lag,
        r#"select coalesce((select extract(epoch from clock_timestamp() - created_at) from audit_unsealed
                            order by audit_id limit 1), 0)::float8 as "seal_seconds!",
                  coalesce((select extract(epoch from clock_timestamp() - min(moved_at)) from audit_heads
                            where seq > signed_seq), 0)::float8 as "checkpoint_seconds!""#
    );
    Ok(lag.fetch_one(conn).await?)
}
