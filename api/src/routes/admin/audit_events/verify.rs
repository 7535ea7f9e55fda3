//! `POST /admin/audit-events:verify`

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
            action: Some(&action::AUDIT_VERIFY),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VerifyAudit)]
struct Request {
    /// Why, for the audit log; one line.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    reason: Name,
}

/// Prove the audit log
///
/// Every entry, the chains that they are in, the signed heads of those, and archives of the log. What is
/// wrong is in the report of the run that the operation names, with the place where it is; the operation
/// fails then.
#[utoipa::path(post, path = "/api/v1/admin/audit-events:verify", request_body = Request,
    responses((status = 202, description = "It is going to be read", body = OperationView)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<OperationView>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    let reason = request.reason.as_str();
    permitted.note(json!({"reason": reason}));
    let run = Run {
        task: Task::Audit,
        only: Some(Guarded::AuditLogs),
        archive_id: None,
        reason,
    };
    begin(permitted, run).await
}
