//! Steps of operations: what a person sees of a workflow.

use domain::id::OperationId;
use domain::state::{StateMachine, StepState};
use sqlx::PgConnection;

use crate::error::Result;

/// Marks a step as running, one try more; its operation runs with it. A step that was not
/// announced is added at the end.
pub async fn start(conn: &mut PgConnection, operation: OperationId, name: &str) -> Result<()> {
    sqlx::query!(
        "update operations set state = 'running' where id = $1 and state = 'pending'",
        operation.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into operation_steps (operation_id, org_id, position, name, state, attempt, started_at)
         select o.id, o.org_id,
                (select coalesce(max(s.position) + 1, 0) from operation_steps s where s.operation_id = o.id),
                $2, 'running', 1, clock_timestamp()
         from operations o where o.id = $1
         on conflict on constraint operation_steps_pkey do update
         set state = 'running', attempt = operation_steps.attempt + 1, detail = null,
             started_at = clock_timestamp(), ended_at = null",
        operation.uuid(),
        name,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Says how far a running step is.
pub async fn progress(
    conn: &mut PgConnection,
    operation: OperationId,
    name: &str,
    detail: &str,
) -> Result<()> {
    sqlx::query!(
        "update operation_steps set detail = $3
         where operation_id = $1 and name = $2 and state = 'running'",
        operation.uuid(),
        name,
        detail,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a running step. A step that does not run (an operation that was given up) stays as it is.
pub async fn finish(
    conn: &mut PgConnection,
    operation: OperationId,
    name: &str,
    state: StepState,
    detail: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "update operation_steps set state = $3, detail = $4, ended_at = clock_timestamp()
         where operation_id = $1 and name = $2 and state = 'running'",
        operation.uuid(),
        name,
        state.as_str(),
        detail,
    )
    .execute(conn)
    .await?;
    Ok(())
}
