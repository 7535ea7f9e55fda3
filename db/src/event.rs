//! What happened to one thing, as its events say; written by `outbox`.

use domain::id::{EventId, OrgId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Result;

/// A fact: ids and states, never payloads.
#[derive(Debug, Clone)]
pub struct EventRow {
    pub id: EventId,
    pub r#type: String,
    /// Number within the thing it happened to, without gaps.
    pub seq: i64,
    pub data: serde_json::Value,
    pub created_at: OffsetDateTime,
}

/// Events of one thing of an organization, in order, from the one after `after`. Their ids rise
/// with their numbers.
pub async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    aggregate: Uuid,
    after: Option<EventId>,
    limit: i64,
) -> Result<Vec<EventRow>> {
    let rows = sqlx::query!(
        "select id, type, seq, data, created_at from outbox_events
         where aggregate_id = $1 and org_id = $2 and ($3::uuid is null or id > $3)
         order by seq limit $4",
        aggregate,
        org.uuid(),
        after.map(EventId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| EventRow {
            id: row.id.into(),
            r#type: row.r#type,
            seq: row.seq,
            data: row.data,
            created_at: row.created_at,
        })
        .collect())
}
