//! `POST /admin/partitions:maintain`

use contract::workflow_id;
use db::intent::IntentKind;
use db::maintenance::{NewMaintenance, ONE_UNDER_WAY};
use domain::data_growth::Guarded;
use domain::name::Name;
use domain::operation::OperationKind;
use domain::partition::Task;
use domain::policy::{OPERATION_DEADLINE, Scope};
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
            action: Some(&action::PARTITION_MAINTAIN),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MaintainPartitions)]
struct Request {
    /// Only this one; missing: every table that only grows.
    #[schema(value_type = Option<String>, example = "usage_records")]
    table: Option<Guarded>,
    /// Convert what is not partitioned, whatever its size is.
    #[serde(default)]
    convert: bool,
    /// Why, for the audit log; one line.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    reason: Name,
}

/// Look after the tables that only grow, now
///
/// The same as the schedule does once a day.
#[utoipa::path(post, path = "/api/v1/admin/partitions:maintain", request_body = Request,
    responses((status = 202, description = "It is going to be done", body = OperationView)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<OperationView>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    let by = permitted.principal()?.user_id;
    let (app, policy) = (permitted.app(), permitted.policy()?);
    let task = if request.convert {
        Task::Convert
    } else {
        Task::Maintain
    };
    permitted.note(json!({
        "table": request.table, "task": task, "reason": request.reason.as_str(),
    }));
    let id = db::id::fresh();
    let workflow_id = workflow_id::maintenance(id);
    let new = NewMaintenance {
        id,
        task,
        only: request.table,
        reason: request.reason.as_str(),
        requested_by: Some(by),
        workflow_id: &workflow_id,
    };
    let conn = permitted.conn();
    db::maintenance::insert(conn, new).await.map_err(taken)?;
    let work = Work {
        kind: OperationKind::MaintenanceCreate,
        resource_id: id.uuid(),
        workflow_type: workflow_id::PARTITION_MAINTENANCE,
        workflow_id: &workflow_id,
        requested_by: by,
        deadline_seconds: policy.value(&OPERATION_DEADLINE, Scope::Platform),
    };
    let (operation, intent) = work::place(conn, work, IntentKind::Start).await?;
    let view = OperationView::new(operation, &app.settings);
    let answer = permitted.accepted(view).await?;
    delivery::spawn(&app, intent);
    Ok(answer)
}

fn taken(error: db::Error) -> Problem {
    match error.constraint() {
        Some(ONE_UNDER_WAY) => {
            Problem::new(Code::Conflict).detail("the tables are being looked after already")
        }
        _ => error.into(),
    }
}
