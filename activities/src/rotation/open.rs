//! Where a rotation begins: as somebody asked, or as a key is old enough.

use contract::rotation::{OpenInput, Opened};
use db::operation::NewOperation;
use db::rotation::{self, NewRotation};
use db::{PgConnection, PgPool};
use domain::operation::OperationKind;
use domain::policy;
use domain::rotation::{Mode, cadence, overlap};
use domain::signing_key::Purpose;
use domain::state::SigningKeyState;

use super::{find, value};
use crate::audit;
use crate::refusal::Refusal;

pub(super) async fn open(pool: &PgPool, input: &OpenInput) -> Result<Option<Opened>, Refusal> {
    let mut tx = pool.begin().await?;
    let purpose = input.rotation.purpose;
    let known = match input.rotation.rotation_id {
        Some(id) => Some(id),
        None => rotation::of_workflow(&mut tx, &input.workflow_id).await?,
    };
    let id = match known {
        Some(id) => id,
        None if is_due(&mut tx, purpose).await? => {
            let new = NewRotation {
                id: db::id::fresh(),
                purpose,
                mode: Mode::Scheduled,
                reason: "its time has come",
                requested_by: None,
                workflow_id: &input.workflow_id,
            };
            place(&mut tx, new).await?;
            let placed = find(&mut tx, new.id).await?;
            audit::rotation(&mut tx, &placed, "open").await?;
            new.id
        }
        None => return Ok(None),
    };
    let found = find(&mut tx, id).await?;
    if found.ended_at.is_some() {
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(Opened {
        rotation_id: id,
        mode: found.mode,
    }))
}

/// Whether the schedule replaces the key that signs: it is old enough, and nobody else is at it.
async fn is_due(conn: &mut PgConnection, purpose: Purpose) -> Result<bool, Refusal> {
    rotation::turn(conn, purpose).await?;
    let limit = value(conn, cadence(purpose)).await?;
    let active = db::signing_key::the_one(conn, purpose, SigningKeyState::Active).await?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "ages are far below 2^52 seconds"
    )]
    let old = active.is_some_and(|key| key.age_seconds >= limit as f64);
    Ok(old && !rotation::is_pending(conn, purpose, None).await?)
}

/// Writes a rotation of the schedule's, and its operation.
async fn place(conn: &mut PgConnection, new: NewRotation<'_>) -> Result<(), Refusal> {
    rotation::insert(conn, new).await?;
    let waits = [
        &policy::PUBLISH,
        overlap(new.purpose),
        &policy::OPERATION_DEADLINE,
    ];
    let mut deadline_seconds = 0;
    for wait in waits {
        deadline_seconds += value(conn, wait).await?;
    }
    let operation = NewOperation {
        id: db::id::fresh(),
        org_id: None,
        kind: OperationKind::RotationCreate,
        resource_id: new.id.uuid(),
        workflow_id: new.workflow_id,
        requested_by: None,
        params: serde_json::json!({}),
        deadline_seconds,
    };
    db::operation::insert(conn, &operation).await?;
    Ok(())
}
