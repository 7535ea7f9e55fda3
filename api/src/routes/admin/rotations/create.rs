//! `POST /admin/rotations`

use contract::workflow_id;
use db::intent::IntentKind;
use db::rotation::{NewRotation, ONE_BEFORE_ACTIVATION};
use domain::name::Name;
use domain::operation::OperationKind;
use domain::policy::{OPERATION_DEADLINE, PUBLISH, Scope};
use domain::rotation::{Mode, overlap};
use domain::signing_key::Purpose;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::authorization::{On, action};
use crate::body::Body;
use crate::delivery;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::routes::admin::work::{self, Work};
use crate::routes::operations::OperationView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::of::<OperationView>(),
            action: Some(&action::ROTATION_CREATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateRotation)]
struct Request {
    /// `jwt_signer` or `terminal_signer`.
    #[schema(value_type = String)]
    kind: Purpose,
    /// `scheduled`: what the old key signed holds until it has served its time. `break_glass`: from
    /// now on nothing holds that any key of this kind signed before.
    #[schema(value_type = String)]
    mode: Mode,
    /// Why, for the evidence and the audit log; one line.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    reason: Name,
}

/// Replace a key
///
/// Breaking glass does not wait for a scheduled rotation that is under way: that one fails.
#[utoipa::path(post, path = "/api/v1/admin/rotations", request_body = Request,
    responses((status = 202, description = "It is going to be replaced", body = OperationView)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<OperationView>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    let by = permitted.principal()?.user_id;
    let (app, policy) = (permitted.app(), permitted.policy()?);
    let (kind, mode, id) = (request.kind, request.mode, db::id::fresh());
    permitted.note(json!({ "kind": kind, "mode": mode, "reason": request.reason.as_str() }));
    let workflow_id = workflow_id::rotation(kind, id);
    let new = NewRotation {
        id,
        purpose: kind,
        mode,
        reason: request.reason.as_str(),
        requested_by: Some(by),
        workflow_id: &workflow_id,
    };
    let conn = permitted.conn();
    db::rotation::insert(conn, new).await.map_err(taken)?;
    let waits = match mode {
        Mode::Scheduled => {
            [&PUBLISH, overlap(kind)].map(|wait| policy.value(wait, Scope::Platform))
        }
        Mode::BreakGlass => [0, 0],
    };
    let work = Work {
        kind: OperationKind::RotationCreate,
        resource_id: id.uuid(),
        workflow_type: workflow_id::KEY_ROTATION,
        workflow_id: &workflow_id,
        requested_by: by,
        deadline_seconds: waits.iter().sum::<i64>()
            + policy.value(&OPERATION_DEADLINE, Scope::Platform),
    };
    let (operation, intent) = work::place(conn, work, IntentKind::Start).await?;
    let view = OperationView::new(operation, &app.settings);
    let answer = permitted.accepted(view).await?;
    delivery::spawn(&app, intent);
    Ok(answer)
}

fn taken(error: db::Error) -> Problem {
    match error.constraint() {
        Some(ONE_BEFORE_ACTIVATION) => {
            let detail =
                "one of this kind and mode is under way, and its new key does not sign yet";
            Problem::new(Code::Conflict).detail(detail)
        }
        _ => error.into(),
    }
}
