//! Starts and wakes owed to workflows, written in the transaction that calls for them.

use std::time::Duration;

use domain::id::{IntentId, OperationId, OrgId};
use sqlx::PgConnection;
use strum::{EnumString, IntoStaticStr};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, one_row, parse};
use crate::id;
use crate::outbox::Backlog;

/// What the workflow is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum IntentKind {
    /// To run; when it runs already, that is enough.
    Start,
    /// To look at its row again; when it does not run, to run.
    Wake,
}

/// An intent about to be written.
#[derive(Debug, Clone)]
pub struct NewIntent<'a> {
    pub kind: IntentKind,
    pub org_id: Option<OrgId>,
    /// A name of `contract::workflow_id`.
    pub workflow_type: &'a str,
    /// An id made by `contract::workflow_id`.
    pub workflow_id: &'a str,
    /// The allocation or node: the workflow's whole input.
    pub resource_id: Uuid,
    /// The operation that waits for it, if one does.
    pub operation_id: Option<OperationId>,
}

/// An intent on its way to Temporal.
#[derive(Debug, Clone)]
pub struct Intent {
    pub id: IntentId,
    pub created_at: OffsetDateTime,
    pub kind: IntentKind,
    pub org_id: Option<OrgId>,
    pub workflow_type: String,
    pub workflow_id: String,
    pub resource_id: Uuid,
    pub operation_id: Option<OperationId>,
    /// Tries that were refused so far.
    pub attempts: i32,
}

/// Writes an intent. What is returned can be delivered as soon as the transaction is committed.
pub async fn append(conn: &mut PgConnection, new: &NewIntent<'_>) -> Result<Intent> {
    let intent_id: IntentId = id::fresh();
    let intent = Intent {
        id: intent_id,
        created_at: id::created_at(intent_id.uuid()),
        kind: new.kind,
        org_id: new.org_id,
        workflow_type: new.workflow_type.to_owned(),
        workflow_id: new.workflow_id.to_owned(),
        resource_id: new.resource_id,
        operation_id: new.operation_id,
        attempts: 0,
    };
    sqlx::query!(
        "insert into workflow_intents
           (id, created_at, kind, org_id, workflow_type, workflow_id, resource_id, operation_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        intent.id.uuid(),
        intent.created_at,
        <&str>::from(intent.kind),
        intent.org_id.map(OrgId::uuid),
        intent.workflow_type,
        intent.workflow_id,
        intent.resource_id,
        intent.operation_id.map(OperationId::uuid),
    )
    .execute(conn)
    .await?;
    Ok(intent)
}

/// Writes many intents that nobody waits for: the relay delivers them.
pub async fn append_all(conn: &mut PgConnection, new: &[NewIntent<'_>]) -> Result<()> {
    let ids: Vec<Uuid> = new.iter().map(|_| id::fresh::<IntentId>().uuid()).collect();
    let created: Vec<_> = ids.iter().map(|id| id::created_at(*id)).collect();
    let kinds: Vec<_> = new
        .iter()
        .map(|one| <&str>::from(one.kind).to_owned())
        .collect();
    let orgs: Vec<_> = new.iter().map(|one| one.org_id.map(OrgId::uuid)).collect();
    let types: Vec<_> = new.iter().map(|one| one.workflow_type.to_owned()).collect();
    let names: Vec<_> = new.iter().map(|one| one.workflow_id.to_owned()).collect();
    let resources: Vec<_> = new.iter().map(|one| one.resource_id).collect();
    sqlx::query!(
        "insert into workflow_intents (id, created_at, kind, org_id, workflow_type, workflow_id, resource_id)
         select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::uuid[])",
        &ids,
        &created,
        &kinds,
        &orgs as &[Option<Uuid>],
        &types,
        &names,
        &resources,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The oldest intents that are due. An intent with an operation, younger than `grace`, is left to
/// the API, which delivers it right after its commit; the others nobody else delivers.
pub async fn due(conn: &mut PgConnection, grace: Duration, limit: i64) -> Result<Vec<Intent>> {
    let rows = sqlx::query!(
        r#"select id, created_at, kind, org_id, workflow_type, workflow_id, resource_id, operation_id, attempts
           from workflow_intents
           where delivered_at is null and dead_at is null and next_try_at <= clock_timestamp()
             and (operation_id is null or created_at <= clock_timestamp() - make_interval(secs => $1))
           order by id limit $2"#,
        grace.as_secs_f64(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Intent {
                id: row.id.into(),
                created_at: row.created_at,
                kind: parse("workflow_intents", "kind", row.id, &row.kind)?,
                org_id: row.org_id.map(OrgId::from),
                workflow_type: row.workflow_type,
                workflow_id: row.workflow_id,
                resource_id: row.resource_id,
                operation_id: row.operation_id.map(OperationId::from),
                attempts: row.attempts,
            })
        })
        .collect()
}

/// Marks an intent as delivered; a second delivery changes nothing.
pub async fn mark_delivered(conn: &mut PgConnection, intent: IntentId) -> Result<()> {
    sqlx::query!(
        "update workflow_intents set delivered_at = clock_timestamp(), last_error = null
         where id = $1 and delivered_at is null",
        intent.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts a try that was refused; the next one comes after `pause`.
pub async fn mark_refused(
    conn: &mut PgConnection,
    intent: IntentId,
    error: &str,
    pause: Duration,
) -> Result<()> {
    let done = sqlx::query!(
        "update workflow_intents
         set attempts = attempts + 1, last_error = left($2, 500),
             next_try_at = clock_timestamp() + make_interval(secs => $3)
         where id = $1",
        intent.uuid(),
        error,
        pause.as_secs_f64(),
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
           from workflow_intents where delivered_at is null and dead_at is null"#,
    )
    .fetch_one(conn)
    .await?)
}
