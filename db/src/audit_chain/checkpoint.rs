//! Signed heads that were exported.

use domain::audit_chain::{Hash, Head};
use domain::id::OrgId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{hash, key, org};
use crate::error::Result;

/// A document in the object store.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// From 1 on, without a gap.
    pub number: i64,
    /// Below `audit-heads/`.
    pub object_path: String,
    /// Of the document, as it lies there.
    pub sha256: Hash,
    pub head_count: i32,
    pub created_at: OffsetDateTime,
}

/// A head that has moved since it was signed.
#[derive(Debug, Clone, Copy)]
pub struct Moved {
    pub org_id: Option<OrgId>,
    pub head: Head,
}

/// Heads that have moved since they were signed, those that wait longest first.
pub async fn moved(conn: &mut PgConnection, limit: i64) -> Result<Vec<Moved>> {
    let rows = sqlx::query!(
        "select org_id, seq, hash from audit_heads where seq > signed_seq order by moved_at, org_id limit $1",
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let hash = hash(row.org_id, &row.hash)?;
            Ok(Moved {
                org_id: org(row.org_id),
                head: Head { seq: row.seq, hash },
            })
        })
        .collect()
}

pub async fn last_checkpoint(conn: &mut PgConnection) -> Result<Option<Checkpoint>> {
    let number = sqlx::query_scalar!("select max(number) from audit_checkpoints");
    let Some(number) = number.fetch_one(&mut *conn).await? else {
        return Ok(None);
    };
    Ok(list_checkpoints(conn, number - 1, 1).await?.pop())
}

/// Checkpoints behind `after`, in their order.
pub async fn list_checkpoints(
    conn: &mut PgConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<Checkpoint>> {
    let rows = sqlx::query!(
        "select * from audit_checkpoints where number > $1 order by number limit $2",
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Checkpoint {
                number: row.number,
                object_path: row.object_path,
                sha256: hash(row.number, &row.sha256)?,
                head_count: row.head_count,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// Writes down that heads were signed, and where. One of that number is the constraint
/// `audit_checkpoints_pkey`.
pub async fn keep_checkpoint(
    conn: &mut PgConnection,
    new: &Checkpoint,
    heads: &[Moved],
) -> Result<()> {
    sqlx::query!(
        "insert into audit_checkpoints (number, object_path, sha256, head_count) values ($1, $2, $3, $4)",
        new.number,
        new.object_path,
        &new.sha256,
        new.head_count,
    )
    .execute(&mut *conn)
    .await?;
    let orgs: Vec<Uuid> = heads.iter().map(|one| key(one.org_id)).collect();
    let seqs: Vec<i64> = heads.iter().map(|one| one.head.seq).collect();
    sqlx::query!(
        "update audit_heads h set signed_seq = greatest(h.signed_seq, s.seq), moved_at = clock_timestamp()
         from unnest($1::uuid[], $2::bigint[]) as s (org_id, seq) where h.org_id = s.org_id",
        &orgs,
        &seqs,
    )
    .execute(conn)
    .await?;
    Ok(())
}
