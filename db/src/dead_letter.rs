//! Events and intents that could not be delivered, kept until an operator sends them again.

use domain::id::{DeadLetterId, EventId, IntentId, OrgId, UserId};
use sqlx::PgConnection;
use strum::{EnumString, IntoStaticStr};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, one_row, parse};
use crate::id;
use crate::intent::Intent;
use crate::outbox::OutboxEvent;

/// Which outbox it lay in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Source {
    Event,
    Intent,
}

#[derive(Debug, Clone)]
pub struct DeadLetter {
    pub id: DeadLetterId,
    pub source: Source,
    pub source_id: Uuid,
    pub org_id: Option<OrgId>,
    /// Event type or workflow id.
    pub subject: String,
    pub reason: String,
    pub attempts: i32,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub replayed_at: Option<OffsetDateTime>,
    pub replayed_by: Option<UserId>,
}

/// Takes an event out of the outbox's way.
pub async fn bury_event(
    conn: &mut PgConnection,
    event: &OutboxEvent,
    reason: &str,
) -> Result<DeadLetterId> {
    let done = sqlx::query!(
        "update outbox_events set dead_at = clock_timestamp() where id = $1 and dead_at is null and published_at is null",
        event.id.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    one_row(&done)?;
    insert(
        conn,
        Source::Event,
        (event.id.uuid(), event.created_at),
        event.org_id,
        &event.type_name,
        reason,
        event.attempts,
    )
    .await
}

/// Takes an intent out of the outbox's way.
pub async fn bury_intent(
    conn: &mut PgConnection,
    intent: &Intent,
    reason: &str,
) -> Result<DeadLetterId> {
    let done = sqlx::query!(
        "update workflow_intents set dead_at = clock_timestamp() where id = $1 and dead_at is null and delivered_at is null",
        intent.id.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    one_row(&done)?;
    insert(
        conn,
        Source::Intent,
        (intent.id.uuid(), intent.created_at),
        intent.org_id,
        &intent.workflow_id,
        reason,
        intent.attempts,
    )
    .await
}

async fn insert(
    conn: &mut PgConnection,
    source: Source,
    (source_id, source_created_at): (Uuid, OffsetDateTime),
    org: Option<OrgId>,
    subject: &str,
    reason: &str,
    attempts: i32,
) -> Result<DeadLetterId> {
    let letter: DeadLetterId = id::fresh();
    sqlx::query!(
        "insert into dead_letters (id, source, source_id, source_created_at, org_id, subject, reason, attempts)
         values ($1, $2, $3, $4, $5, $6, left($7, 500), $8)",
        letter.uuid(),
        <&str>::from(source),
        source_id,
        source_created_at,
        org.map(OrgId::uuid),
        subject,
        reason,
        attempts,
    )
    .execute(conn)
    .await?;
    Ok(letter)
}

/// One letter, whether replayed or not.
pub async fn get(conn: &mut PgConnection, letter: DeadLetterId) -> Result<Option<DeadLetter>> {
    let row = sqlx::query_as!(
        Row,
        "select id, source, source_id, org_id, subject, reason, attempts, version, created_at, replayed_at, replayed_by
         from dead_letters where id = $1",
        letter.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(Row::read).transpose()
}

/// Letters by id, after `after`; only those that nobody replayed yet if `open` is set.
pub async fn list(
    conn: &mut PgConnection,
    open: bool,
    after: Option<DeadLetterId>,
    limit: i64,
) -> Result<Vec<DeadLetter>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, source, source_id, org_id, subject, reason, attempts, version, created_at, replayed_at, replayed_by
         from dead_letters
         where (not $1 or replayed_at is null) and ($2::uuid is null or id > $2)
         order by id limit $3",
        open,
        after.map(DeadLetterId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// Puts the event or intent back into its outbox with all its tries ahead of it. `None`: there is
/// no such letter, or somebody replayed it before.
pub async fn replay(
    conn: &mut PgConnection,
    letter: DeadLetterId,
    by: Option<UserId>,
) -> Result<Option<DeadLetter>> {
    let row = sqlx::query_as!(
        Row,
        "update dead_letters set replayed_at = clock_timestamp(), replayed_by = $2
         where id = $1 and replayed_at is null
         returning id, source, source_id, org_id, subject, reason, attempts, version, created_at, replayed_at, replayed_by",
        letter.uuid(),
        by.map(UserId::uuid),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(letter) = row.map(Row::read).transpose()? else {
        return Ok(None);
    };
    match letter.source {
        Source::Event => revive_event(conn, letter.source_id.into()).await?,
        Source::Intent => revive_intent(conn, letter.source_id.into()).await?,
    }
    Ok(Some(letter))
}

async fn revive_event(conn: &mut PgConnection, event: EventId) -> Result<()> {
    let done = sqlx::query!(
        "update outbox_events set dead_at = null, attempts = 0 where id = $1 and dead_at is not null",
        event.uuid(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

async fn revive_intent(conn: &mut PgConnection, intent: IntentId) -> Result<()> {
    let done = sqlx::query!(
        "update workflow_intents set dead_at = null, attempts = 0, next_try_at = clock_timestamp()
         where id = $1 and dead_at is not null",
        intent.uuid(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

struct Row {
    id: Uuid,
    source: String,
    source_id: Uuid,
    org_id: Option<Uuid>,
    subject: String,
    reason: String,
    attempts: i32,
    version: i64,
    created_at: OffsetDateTime,
    replayed_at: Option<OffsetDateTime>,
    replayed_by: Option<Uuid>,
}

impl Row {
    fn read(self) -> Result<DeadLetter> {
        Ok(DeadLetter {
            source: parse("dead_letters", "source", self.id, &self.source)?,
            id: self.id.into(),
            source_id: self.source_id,
            org_id: self.org_id.map(OrgId::from),
            subject: self.subject,
            reason: self.reason,
            attempts: self.attempts,
            version: self.version,
            created_at: self.created_at,
            replayed_at: self.replayed_at,
            replayed_by: self.replayed_by.map(UserId::from),
        })
    }
}
