//! What is read to prove the chains.

use domain::audit_chain::{Hash, Head};
use domain::id::{AuditId, OrgId};
use futures::stream::BoxStream;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{ENTRY, hash, key, org};
use crate::disposable::DisposableTransaction;
use crate::error::Result;

/// More than anybody reads.
const STRAYS: i64 = 1_000;

/// Makes a transaction see one state of the log and its chains, and keeps partitions of the log from
/// leaving until it ends.
pub async fn snapshot(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("set transaction isolation level repeatable read, read only")
        .execute(&mut *conn)
        .await?;
    // Before the snapshot is taken, which this does not do.
    sqlx::query!("lock table only audit_logs in access share mode")
        .execute(conn)
        .await?;
    Ok(())
}

/// All links, one chain after the other, in the binary form of COPY: organization, place, hash,
/// id of the entry, and columns as [`domain::audit_chain::ENTRY`], null where the entry is not there.
pub async fn copy_chain<'c>(
    conn: &'c mut DisposableTransaction<'_>,
) -> Result<BoxStream<'c, sqlx::Result<impl AsRef<[u8]> + use<>>>> {
    let sql = format!(
        "copy (select l.org_id, l.seq, l.hash, l.audit_id, {ENTRY} from audit_links l
               left join audit_logs a on a.id = l.audit_id and a.created_at = uuid_v7_at(l.audit_id)
               order by l.org_id, l.seq) to stdout (format binary)"
    );
    Ok(conn.copy_out_raw(&sql).await?)
}

/// Where all chains should end.
pub async fn heads(conn: &mut PgConnection) -> Result<Vec<(Option<OrgId>, Head)>> {
    let rows = sqlx::query!("select org_id, seq, hash from audit_heads")
        .fetch_all(conn)
        .await?;
    rows.into_iter()
        .map(|row| {
            let hash = hash(row.org_id, &row.hash)?;
            Ok((org(row.org_id), Head { seq: row.seq, hash }))
        })
        .collect()
}

/// Entries that are in no chain and do not wait to be in one: some of them.
pub async fn strays(conn: &mut PgConnection) -> Result<Vec<(AuditId, Option<OrgId>)>> {
    let rows = sqlx::query!(
        "select a.id, a.org_id from audit_logs a
         where not exists (select from audit_links l where l.audit_id = a.id)
           and not exists (select from audit_unsealed u where u.audit_id = a.id)
         order by a.id limit $1",
        STRAYS,
    )
    .fetch_all(conn)
    .await?;
    let strays = rows.into_iter();
    Ok(strays
        .map(|row| (row.id.into(), row.org_id.map(OrgId::from)))
        .collect())
}

/// Entries that wait to be sealed and are gone: some of them.
pub async fn ghosts(conn: &mut PgConnection) -> Result<Vec<AuditId>> {
    let ids = sqlx::query_scalar!(
        "select u.audit_id from audit_unsealed u
         where not exists (select from audit_logs a where a.id = u.audit_id and a.created_at = u.created_at)
         order by u.audit_id limit $1",
        STRAYS,
    );
    let ids = ids.fetch_all(conn).await?;
    Ok(ids.into_iter().map(AuditId::from).collect())
}

/// The place of an entry, and what is before it.
#[derive(Debug, Clone, Copy)]
pub struct LinkOf {
    pub entry: AuditId,
    pub org_id: Option<OrgId>,
    pub head: Head,
    /// `None`: the link before it is not there.
    pub before: Option<Hash>,
}

/// Places of entries; those that have none are left out.
pub async fn links_of(conn: &mut PgConnection, entries: &[AuditId]) -> Result<Vec<LinkOf>> {
    let ids: Vec<Uuid> = entries.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"select l.audit_id as "audit_id!", l.org_id as "org_id!", l.seq as "seq!", l.hash as "hash!", p.hash as "before?" from audit_links l
           left join audit_links p on p.org_id = l.org_id and p.seq = l.seq - 1
           where l.audit_id = any ($1)"#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let before = match row.before {
                Some(bytes) => Some(hash(row.audit_id, &bytes)?),
                None => (row.seq == 1).then_some(Head::EMPTY.hash),
            };
            let hash = hash(row.audit_id, &row.hash)?;
            Ok(LinkOf {
                entry: row.audit_id.into(),
                org_id: org(row.org_id),
                head: Head { seq: row.seq, hash },
                before,
            })
        })
        .collect()
}

/// Sealed entries of a time, with their places.
pub async fn ids_between(
    conn: &mut PgConnection,
    since: Option<OffsetDateTime>,
    until: OffsetDateTime,
) -> Result<Vec<(AuditId, Option<OrgId>, i64)>> {
    let first = since.map_or(Uuid::nil(), crate::id::first_at);
    let rows = sqlx::query!(
        "select audit_id, org_id, seq from audit_links where audit_id >= $1 and audit_id < $2",
        first,
        crate::id::first_at(until),
    )
    .fetch_all(conn)
    .await?;
    let found = rows.into_iter();
    Ok(found
        .map(|row| (row.audit_id.into(), org(row.org_id), row.seq))
        .collect())
}

/// Hashes at places of chains, in their order; `None`: there is no such link.
pub async fn hashes_at(
    conn: &mut PgConnection,
    places: &[(Option<OrgId>, i64)],
) -> Result<Vec<Option<Hash>>> {
    let orgs: Vec<Uuid> = places.iter().map(|(org, _)| key(*org)).collect();
    let seqs: Vec<i64> = places.iter().map(|(_, seq)| *seq).collect();
    let rows = sqlx::query!(
        r#"select l.hash as "hash?" from unnest($1::uuid[], $2::bigint[]) with ordinality as p (org_id, seq, at)
           left join audit_links l on l.org_id = p.org_id and l.seq = p.seq order by p.at"#,
        &orgs,
        &seqs,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| row.hash.map(|bytes| hash("a place", &bytes)).transpose())
        .collect()
}
