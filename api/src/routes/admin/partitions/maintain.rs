//! `POST /admin/partitions:maintain`

use domain::data_growth::Guarded;
use domain::name::Name;
use domain::partition::Task;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::routes::admin::maintenances::{Run, begin};
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
    let task = if request.convert {
        Task::Convert
    } else {
        Task::Maintain
    };
    permitted.note(json!({
        "table": request.table, "task": task, "reason": request.reason.as_str(),
    }));
    let run = Run {
        task,
        only: request.table,
        archive_id: None,
        reason: request.reason.as_str(),
    };
    begin(permitted, run).await
}
