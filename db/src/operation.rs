//! Asynchronous changes that somebody asked for, with the steps that people watch. How steps move
//! on is in [`crate::operation_step`].

use std::collections::HashMap;

use domain::id::{OperationId, OrgId, UserId};
use domain::operation::OperationKind;
use domain::state::{OperationState, StepState};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, one_row, parse};

/// One operation as its row says.
#[derive(Debug, Clone)]
pub struct Operation {
    pub id: OperationId,
    /// `None`: platform work, seen by platform operators only.
    pub org_id: Option<OrgId>,
    pub kind: OperationKind,
    pub resource_id: Uuid,
    pub workflow_id: String,
    pub workflow_run_id: Option<String>,
    pub requested_by: Option<UserId>,
    pub params: serde_json::Value,
    pub state: OperationState,
    /// What went wrong, as problem details.
    pub error: Option<serde_json::Value>,
    pub deadline_at: OffsetDateTime,
    pub cancel_requested_at: Option<OffsetDateTime>,
    /// Still open after its deadline.
    pub stuck: bool,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
    pub steps: Vec<OperationStep>,
}

impl Operation {
    /// Whether it is still under way.
    pub fn is_open(&self) -> bool {
        matches!(
            self.state,
            OperationState::Pending | OperationState::Running
        )
    }
}

/// One step as its row says.
#[derive(Debug, Clone)]
pub struct OperationStep {
    pub name: String,
    pub state: StepState,
    /// How often it was started.
    pub attempt: i32,
    pub detail: Option<String>,
    pub started_at: Option<OffsetDateTime>,
    pub ended_at: Option<OffsetDateTime>,
}

impl OperationStep {
    fn announced(name: String) -> Self {
        Self {
            name,
            state: StepState::Pending,
            attempt: 0,
            detail: None,
            started_at: None,
            ended_at: None,
        }
    }
}

/// What is to be done; the row starts as `pending` with all announced steps.
#[derive(Debug, Clone)]
pub struct NewOperation<'a> {
    pub id: OperationId,
    pub org_id: Option<OrgId>,
    pub kind: OperationKind,
    pub resource_id: Uuid,
    pub workflow_id: &'a str,
    pub requested_by: Option<UserId>,
    /// Ids and numbers only.
    pub params: serde_json::Value,
    /// Open for longer than this, it is stuck.
    pub deadline_seconds: i64,
}

/// Writes an operation and its steps, and gives it back as it stands.
pub async fn insert(conn: &mut PgConnection, new: &NewOperation<'_>) -> Result<Operation> {
    let row = sqlx::query_as!(
        Row,
        r#"insert into operations
             (id, org_id, kind, resource_kind, resource_id, workflow_id, requested_by, params, deadline_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8,
                   clock_timestamp() + $9::bigint * interval '1 second')
           returning id, org_id, kind, resource_id, workflow_id, workflow_run_id, requested_by,
                     params, state, error, deadline_at, cancel_requested_at, false as "stuck!",
                     version, created_at, updated_at, ended_at"#,
        new.id.uuid(),
        new.org_id.map(OrgId::uuid),
        new.kind.as_str(),
        new.kind.resource_kind(),
        new.resource_id,
        new.workflow_id,
        new.requested_by.map(UserId::uuid),
        new.params,
        new.deadline_seconds,
    )
    .fetch_one(&mut *conn)
    .await?;
    let mut operation = Operation::try_from(row)?;
    let names = new.kind.announced_steps();
    if names.is_empty() {
        return Ok(operation);
    }
    let texts: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    sqlx::query!(
        "insert into operation_steps (operation_id, org_id, position, name)
         select $1, $2, step.position - 1, step.name
         from unnest($3::text[]) with ordinality as step (name, position)",
        new.id.uuid(),
        new.org_id.map(OrgId::uuid),
        &texts,
    )
    .execute(conn)
    .await?;
    operation.steps = texts.into_iter().map(OperationStep::announced).collect();
    Ok(operation)
}

/// Who looks: one organization, or the platform, which sees every operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    Organization(OrgId),
    Platform,
}

impl Viewer {
    fn org(self) -> Option<Uuid> {
        match self {
            Self::Organization(org) => Some(org.uuid()),
            Self::Platform => None,
        }
    }
}

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    kind: String,
    resource_id: Uuid,
    workflow_id: String,
    workflow_run_id: Option<String>,
    requested_by: Option<Uuid>,
    params: serde_json::Value,
    state: String,
    error: Option<serde_json::Value>,
    deadline_at: OffsetDateTime,
    cancel_requested_at: Option<OffsetDateTime>,
    stuck: bool,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
}

impl TryFrom<Row> for Operation {
    type Error = crate::Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            kind: parse("operations", "kind", row.id, &row.kind)?,
            state: parse("operations", "state", row.id, &row.state)?,
            id: row.id.into(),
            org_id: row.org_id.map(OrgId::from_uuid),
            resource_id: row.resource_id,
            workflow_id: row.workflow_id,
            workflow_run_id: row.workflow_run_id,
            requested_by: row.requested_by.map(UserId::from_uuid),
            params: row.params,
            error: row.error,
            deadline_at: row.deadline_at,
            cancel_requested_at: row.cancel_requested_at,
            stuck: row.stuck,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            ended_at: row.ended_at,
            steps: Vec::new(),
        })
    }
}

macro_rules! select {
    ($tail:tt, $($arg:expr),+ $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select id, org_id, kind, resource_id, workflow_id, workflow_run_id, requested_by,
                      params, state, error, deadline_at, cancel_requested_at,
                      (state in ('pending', 'running') and deadline_at < clock_timestamp()) as "stuck!",
                      version, created_at, updated_at, ended_at
               from operations "#
                + $tail,
            $($arg),+
        )
    };
}

/// One operation with its steps.
pub async fn get(
    conn: &mut PgConnection,
    viewer: Viewer,
    id: OperationId,
) -> Result<Option<Operation>> {
    let row = select!(
        "where id = $1 and ($2::uuid is null or org_id = $2)",
        id.uuid(),
        viewer.org(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    match row {
        Some(row) => Ok(with_steps(conn, vec![row]).await?.pop()),
        None => Ok(None),
    }
}

/// Operations with their steps, newest first, from the one after `after`; of one resource, if one
/// is named.
pub async fn list(
    conn: &mut PgConnection,
    viewer: Viewer,
    resource: Option<Uuid>,
    after: Option<OperationId>,
    limit: i64,
) -> Result<Vec<Operation>> {
    let rows = select!(
        "where ($1::uuid is null or org_id = $1)
           and ($2::uuid is null or resource_id = $2)
           and ($3::uuid is null or id < $3)
         order by id desc limit $4",
        viewer.org(),
        resource,
        after.map(OperationId::uuid),
        limit,
    )
    .fetch_all(&mut *conn)
    .await?;
    with_steps(conn, rows).await
}

/// What waits for people, with its steps, newest first, from the one after `after`: operations open
/// past their deadline, and the last one of an allocation whose release has failed.
pub async fn list_stuck(
    conn: &mut PgConnection,
    viewer: Viewer,
    after: Option<OperationId>,
    limit: i64,
) -> Result<Vec<Operation>> {
    let rows = select!(
        "where ($1::uuid is null or org_id = $1)
           and ($2::uuid is null or id < $2)
           and (state in ('pending', 'running') and deadline_at < clock_timestamp()
                or state = 'failed'
                   and exists (select from allocations a where a.id = resource_id and a.state = 'release_failed')
                   and not exists (select from operations later
                                   where later.resource_id = operations.resource_id and later.seq > operations.seq))
         order by id desc limit $3",
        viewer.org(),
        after.map(OperationId::uuid),
        limit,
    )
    .fetch_all(&mut *conn)
    .await?;
    with_steps(conn, rows).await
}

/// Gives an open operation this long from now, until it counts as stuck. `false`: it has ended.
pub async fn defer(conn: &mut PgConnection, id: OperationId, seconds: i64) -> Result<bool> {
    let done = sqlx::query!(
        "update operations
         set deadline_at = greatest(deadline_at, clock_timestamp() + $2::bigint * interval '1 second')
         where id = $1 and state in ('pending', 'running')",
        id.uuid(),
        seconds,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The newest operation of a resource among some kinds.
pub async fn latest(
    conn: &mut PgConnection,
    viewer: Viewer,
    resource: Uuid,
    kinds: &[OperationKind],
) -> Result<Option<Operation>> {
    let kinds: Vec<String> = kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    let row = select!(
        "where ($1::uuid is null or org_id = $1) and resource_id = $2 and kind = any($3)
         order by seq desc limit 1",
        viewer.org(),
        resource,
        &kinds,
    )
    .fetch_optional(&mut *conn)
    .await?;
    match row {
        Some(row) => Ok(with_steps(conn, vec![row]).await?.pop()),
        None => Ok(None),
    }
}

/// Notes which run carries out the open operations of a resource.
pub async fn set_run(conn: &mut PgConnection, resource: Uuid, run_id: &str) -> Result<()> {
    sqlx::query!(
        "update operations set workflow_run_id = $2
         where resource_id = $1 and state in ('pending', 'running')
           and workflow_run_id is distinct from $2",
        resource,
        run_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes the wish to cancel an open operation, once. `false`: it has ended.
pub async fn request_cancel(conn: &mut PgConnection, id: OperationId) -> Result<bool> {
    let done = sqlx::query!(
        "update operations set cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
         where id = $1 and state in ('pending', 'running')",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    one_row(&done).map(|()| true)
}

async fn with_steps(conn: &mut PgConnection, rows: Vec<Row>) -> Result<Vec<Operation>> {
    let mut operations = rows
        .into_iter()
        .map(Operation::try_from)
        .collect::<Result<Vec<_>>>()?;
    let ids: Vec<Uuid> = operations.iter().map(|o| o.id.uuid()).collect();
    let steps = sqlx::query!(
        "select operation_id, name, state, attempt, detail, started_at, ended_at
         from operation_steps where operation_id = any($1) order by operation_id, position",
        &ids,
    )
    .fetch_all(conn)
    .await?;
    let mut by_operation: HashMap<Uuid, Vec<OperationStep>> = HashMap::new();
    for row in steps {
        let state = parse("operation_steps", "state", row.operation_id, &row.state)?;
        by_operation
            .entry(row.operation_id)
            .or_default()
            .push(OperationStep {
                name: row.name,
                state,
                attempt: row.attempt,
                detail: row.detail,
                started_at: row.started_at,
                ended_at: row.ended_at,
            });
    }
    for operation in &mut operations {
        operation.steps = by_operation
            .remove(&operation.id.uuid())
            .unwrap_or_default();
    }
    Ok(operations)
}
