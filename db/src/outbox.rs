//! The outbox of events: facts written in the transaction that made them true, published later.

use domain::event::Event;
use domain::id::{EventId, OrgId};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, one_row};
use crate::id;

/// A fact on its way to the event stream.
#[derive(Debug, Clone)]
pub struct OutboxEvent {
    pub id: EventId,
    pub created_at: OffsetDateTime,
    pub org_id: Option<OrgId>,
    pub type_name: String,
    pub aggregate_kind: String,
    pub aggregate_id: Uuid,
    /// Number within the aggregate, from 1, without gaps.
    pub seq: i64,
    pub data: Value,
    /// Tries that were refused so far.
    pub attempts: i32,
}

/// What waits to be delivered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backlog {
    pub pending: i64,
    pub oldest_age_seconds: f64,
}

/// Writes an event under its aggregate's next number. Events of one aggregate queue behind each
/// other until commit, so that numbers have no gaps and ids rise with them.
pub async fn append(conn: &mut PgConnection, org: Option<OrgId>, event: &Event) -> Result<EventId> {
    let (kind, aggregate) = event.aggregate();
    let org = org.map(OrgId::uuid);
    let seq = sqlx::query_scalar!(
        "insert into event_sequences (aggregate_id, org_id, seq) values ($1, $2, 1)
         on conflict on constraint event_sequences_pkey do update set seq = event_sequences.seq + 1
         returning seq",
        aggregate,
        org,
    )
    .fetch_one(&mut *conn)
    .await?;
    let event_id: EventId = id::fresh();
    sqlx::query!(
        "insert into outbox_events (id, created_at, org_id, type, aggregate_kind, aggregate_id, seq, data)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        event_id.uuid(),
        id::created_at(event_id.uuid()),
        org,
        event.type_name(),
        kind,
        aggregate,
        seq,
        event.data(),
    )
    .execute(conn)
    .await?;
    Ok(event_id)
}

/// The oldest events not yet published, by id.
pub async fn unpublished(conn: &mut PgConnection, limit: i64) -> Result<Vec<OutboxEvent>> {
    let rows = sqlx::query!(
        "select id, created_at, org_id, type, aggregate_kind, aggregate_id, seq, data, attempts
         from outbox_events where published_at is null and dead_at is null
         order by id limit $1",
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| OutboxEvent {
            id: row.id.into(),
            created_at: row.created_at,
            org_id: row.org_id.map(OrgId::from),
            type_name: row.r#type,
            aggregate_kind: row.aggregate_kind,
            aggregate_id: row.aggregate_id,
            seq: row.seq,
            data: row.data,
            attempts: row.attempts,
        })
        .collect())
}

/// Marks events as published, once the stream has acknowledged them.
pub async fn mark_published(conn: &mut PgConnection, events: &[EventId]) -> Result<()> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.uuid()).collect();
    sqlx::query!(
        "update outbox_events set published_at = clock_timestamp(), last_error = null
         where id = any($1) and published_at is null",
        &ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts a try that was refused.
pub async fn mark_refused(conn: &mut PgConnection, event: EventId, error: &str) -> Result<()> {
    let done = sqlx::query!(
        "update outbox_events set attempts = attempts + 1, last_error = left($2, 500)
         where id = $1 and published_at is null",
        event.uuid(),
        error,
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// How much waits, and for how long.
pub async fn backlog(conn: &mut PgConnection) -> Result<Backlog> {
    Ok(sqlx::query_as!(
        Backlog,
        r#"select count(*) as "pending!",
                  coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::double precision as "oldest_age_seconds!"
           from outbox_events where published_at is null and dead_at is null"#,
    )
    .fetch_one(conn)
    .await?)
}

/// Tries to become the one that empties the named outbox, for as long as the connection lives.
pub async fn try_lead(conn: &mut PgConnection, outbox: &str) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select pg_try_advisory_lock(hashtextextended('relay:' || $1::text, 0)) as "leads!""#,
        outbox,
    )
    .fetch_one(conn)
    .await?)
}
