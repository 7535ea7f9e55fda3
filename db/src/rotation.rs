//! Rotations: keys that are replaced, how far that is, and the evidence.

use domain::id::{OperationId, RotationId, UserId};
use domain::rotation::{Mode, Outcome};
use domain::signed_document::{RotationEvidence, Signed};
use domain::signing_key::{Kid, Purpose};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::{Error, Result, one_row, parse};

/// One before its new key signs, for each purpose and mode.
pub const ONE_BEFORE_ACTIVATION: &str = "rotations_one_before_activation";
const TABLE: &str = "rotations";

/// One rotation.
#[derive(Debug, Clone)]
pub struct Rotation {
    pub id: RotationId,
    pub purpose: Purpose,
    pub mode: Mode,
    pub reason: String,
    /// `None`: the schedule.
    pub requested_by: Option<UserId>,
    pub workflow_id: String,
    pub old_kid: Option<Kid>,
    pub new_kid: Option<Kid>,
    /// Since when the new key is known to those who verify.
    pub published_at: Option<OffsetDateTime>,
    /// Since when it signs.
    pub activated_at: Option<OffsetDateTime>,
    pub revoked_at: Option<OffsetDateTime>,
    /// When it was seen that what the old key signed is refused.
    pub refused_at: Option<OffsetDateTime>,
    /// Every key that it revoked.
    pub ended_kids: Vec<Kid>,
    pub documents_resigned: i64,
    /// Documents that the ended keys never signed, whatever they say.
    pub documents_refused: i64,
    /// `None`: it is under way.
    pub outcome: Option<Outcome>,
    /// A signed document.
    pub evidence: Option<serde_json::Value>,
    pub operation_id: Option<OperationId>,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
}

/// What is to be replaced.
#[derive(Debug, Clone, Copy)]
pub struct NewRotation<'a> {
    pub id: RotationId,
    pub purpose: Purpose,
    pub mode: Mode,
    pub reason: &'a str,
    pub requested_by: Option<UserId>,
    pub workflow_id: &'a str,
}

pub async fn insert(conn: &mut PgConnection, new: NewRotation<'_>) -> Result<()> {
    sqlx::query!(
        "insert into rotations (id, purpose, mode, reason, requested_by, workflow_id)
         values ($1, $2, $3, $4, $5, $6)",
        new.id.uuid(),
        new.purpose.as_str(),
        new.mode.as_str(),
        new.reason,
        new.requested_by.map(UserId::uuid),
        new.workflow_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Rotations, the latest first, from before `after`.
pub async fn list(
    conn: &mut PgConnection,
    id: Option<RotationId>,
    after: Option<RotationId>,
    limit: i64,
) -> Result<Vec<Rotation>> {
    let rows = sqlx::query!(
        "select r.id, r.purpose, r.mode, r.reason, r.requested_by, r.workflow_id, r.old_kid, r.new_kid,
                r.published_at, r.activated_at, r.revoked_at, r.refused_at, r.ended_kids, r.documents_resigned, r.documents_refused, r.outcome,
                r.evidence, r.version, r.created_at, r.updated_at, r.ended_at,
                (select o.id from operations o where o.resource_id = r.id order by o.seq limit 1) as operation_id
         from rotations r
         where ($1::uuid is null or r.id = $1) and ($2::uuid is null or r.id < $2)
         order by r.id desc limit $3",
        id.map(RotationId::uuid),
        after.map(RotationId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = RotationId::from(row.id);
            Ok(Rotation {
                id,
                purpose: parse(TABLE, "purpose", id, &row.purpose)?,
                mode: parse(TABLE, "mode", id, &row.mode)?,
                reason: row.reason,
                requested_by: row.requested_by.map(UserId::from),
                workflow_id: row.workflow_id,
                old_kid: row.old_kid.map(|kid| read_kid(id, &kid)).transpose()?,
                new_kid: row.new_kid.map(|kid| read_kid(id, &kid)).transpose()?,
                published_at: row.published_at,
                activated_at: row.activated_at,
                revoked_at: row.revoked_at,
                refused_at: row.refused_at,
                ended_kids: row
                    .ended_kids
                    .iter()
                    .map(|kid| read_kid(id, kid))
                    .collect::<Result<_>>()?,
                documents_resigned: row.documents_resigned,
                documents_refused: row.documents_refused,
                outcome: row
                    .outcome
                    .map(|outcome| parse(TABLE, "outcome", id, &outcome))
                    .transpose()?,
                evidence: row.evidence,
                operation_id: row.operation_id.map(OperationId::from),
                version: row.version,
                created_at: row.created_at,
                updated_at: row.updated_at,
                ended_at: row.ended_at,
            })
        })
        .collect()
}

fn read_kid(id: RotationId, text: &str) -> Result<Kid, Error> {
    parse(TABLE, "kid", id, text)
}

pub async fn get(conn: &mut PgConnection, id: RotationId) -> Result<Option<Rotation>> {
    Ok(list(conn, Some(id), None, 1).await?.pop())
}

/// Locks a rotation until commit.
pub async fn lock(conn: &mut PgConnection, id: RotationId) -> Result<Option<Rotation>> {
    sqlx::query!(
        "select id from rotations where id = $1 for update",
        id.uuid()
    )
    .fetch_optional(&mut *conn)
    .await?;
    get(conn, id).await
}

/// The rotation that a workflow has under way.
pub async fn of_workflow(conn: &mut PgConnection, workflow_id: &str) -> Result<Option<RotationId>> {
    let id = sqlx::query_scalar!(
        "select id from rotations where workflow_id = $1 and ended_at is null",
        workflow_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(RotationId::from))
}

/// Lets rotations of a purpose name keys and let them sign one after the other, until commit.
pub async fn turn(conn: &mut PgConnection, purpose: Purpose) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('rotation:' || $1::text, 0))",
        purpose.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether one of a purpose is under way whose new key does not sign yet; in one mode, or in any.
pub async fn is_pending(
    conn: &mut PgConnection,
    purpose: Purpose,
    mode: Option<Mode>,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from rotations
             where purpose = $1 and ($2::text is null or mode = $2)
               and activated_at is null and ended_at is null) as "pending!""#,
        purpose.as_str(),
        mode.map(Mode::as_str),
    )
    .fetch_one(conn)
    .await?)
}

/// Names the keys. The new one was published at an instant.
pub async fn set_keys(
    conn: &mut PgConnection,
    id: RotationId,
    old: &Kid,
    new: &Kid,
    published_at: OffsetDateTime,
) -> Result<()> {
    let done = sqlx::query!(
        "update rotations set old_kid = $2, new_kid = $3, published_at = $4
         where id = $1 and new_kid is null and ended_at is null",
        id.uuid(),
        old.as_str(),
        new.as_str(),
        published_at,
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// The new key signs; the old one may be revoked with it.
pub async fn set_activated(conn: &mut PgConnection, id: RotationId, revoked: bool) -> Result<()> {
    let done = sqlx::query!(
        "update rotations set activated_at = clock_timestamp(),
                              revoked_at = case when $2 then clock_timestamp() end
         where id = $1 and activated_at is null and ended_at is null",
        id.uuid(),
        revoked,
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// The old key is revoked.
pub async fn set_revoked(conn: &mut PgConnection, id: RotationId) -> Result<()> {
    sqlx::query!(
        "update rotations set revoked_at = clock_timestamp() where id = $1 and revoked_at is null",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What it signed was seen to be refused. `false`: it was seen before.
pub async fn set_refused(conn: &mut PgConnection, id: RotationId) -> Result<bool> {
    let done = sqlx::query!(
        "update rotations set refused_at = clock_timestamp() where id = $1 and refused_at is null",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes keys that it revoked.
pub async fn add_ended(conn: &mut PgConnection, id: RotationId, kids: &[Kid]) -> Result<()> {
    let kids: Vec<String> = kids.iter().map(Kid::to_string).collect();
    sqlx::query!(
        "update rotations set ended_kids = array(
           select distinct kid from unnest(ended_kids || $2::text[]) as kid order by kid) where id = $1",
        id.uuid(),
        &kids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// So many documents more were signed anew.
pub async fn add_resigned(conn: &mut PgConnection, id: RotationId, more: i64) -> Result<()> {
    sqlx::query!(
        "update rotations set documents_resigned = documents_resigned + $2 where id = $1",
        id.uuid(),
        more,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// So many documents name keys that did not sign them.
pub async fn set_refused_documents(
    conn: &mut PgConnection,
    id: RotationId,
    count: i64,
) -> Result<()> {
    sqlx::query!(
        "update rotations set documents_refused = $2 where id = $1",
        id.uuid(),
        count,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Evidence of rotations that some keys have signed.
pub async fn evidence_of(
    conn: &mut PgConnection,
    kids: &[Kid],
) -> Result<Vec<(RotationId, serde_json::Value)>> {
    let kids: Vec<String> = kids.iter().map(Kid::to_string).collect();
    let rows = sqlx::query!(
        r#"select id, evidence as "evidence!" from rotations
           where evidence ->> 'kid' = any($1) order by id for update"#,
        &kids,
    )
    .fetch_all(conn)
    .await?;
    let rows = rows.into_iter();
    Ok(rows.map(|row| (row.id.into(), row.evidence)).collect())
}

/// Puts the same evidence with another signature in its place.
pub async fn resign_evidence(
    conn: &mut PgConnection,
    id: RotationId,
    evidence: &Signed<RotationEvidence>,
) -> Result<()> {
    let done = sqlx::query!(
        "update rotations set evidence = $2 where id = $1",
        id.uuid(),
        evidence.as_json(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Ends it; once.
pub async fn end(
    conn: &mut PgConnection,
    id: RotationId,
    outcome: Outcome,
    evidence: &Signed<RotationEvidence>,
) -> Result<()> {
    sqlx::query!(
        "update rotations set outcome = $2, evidence = $3, ended_at = clock_timestamp()
         where id = $1 and ended_at is null",
        id.uuid(),
        outcome.as_str(),
        evidence.as_json(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
