//! `PUT /admin/quotas`

use domain::policy::Scope;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::resource::Resource;
use crate::routes::admin::policies::ScopeName;
use crate::routes::quotas::QuotaView;

/// GPUs of one quota at most; the schema says the same.
const GPUS_MAX: i64 = 100_000;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::None,
            action: Some(&action::QUOTA_SET),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetQuota)]
struct Request {
    /// The id of an organization or a project.
    #[schema(value_type = String)]
    scope: ScopeName,
    #[schema(example = "h100-80gb")]
    sku: String,
    /// GPUs that its live allocations may have together; 0: none.
    #[schema(minimum = 0, maximum = 100_000)]
    gpus_max: i64,
}

/// Set how many GPUs of a SKU an organization or a project may have together
///
/// Lowered below what is used it takes nothing from anybody; who waits and is beyond it then fails.
#[utoipa::path(put, path = "/api/v1/admin/quotas", request_body = Request,
    responses((status = 200, description = "The quota as it is now", body = QuotaView)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<QuotaView>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let by = mutation.principal()?.user_id;
    let gpus_max = i32::try_from(request.gpus_max)
        .ok()
        .filter(|_| (0..=GPUS_MAX).contains(&request.gpus_max));
    let gpus_max = gpus_max.ok_or_else(|| {
        Problem::invalid("/gpus_max", format!("must be between 0 and {GPUS_MAX}"))
    })?;
    let conn = mutation.conn();
    let (org, project) = match request.scope.find(conn).await? {
        Some(Scope::Organization(org)) => (org, None),
        Some(Scope::Project(org, project)) => (org, Some(project)),
        Some(Scope::Platform) => {
            let detail = "a quota is an organization's or a project's";
            return Err(Problem::invalid("/scope", detail));
        }
        None => return Err(Problem::invalid("/scope", "there is no such scope")),
    };
    if db::catalog::get_sku(conn, &request.sku).await?.is_none() {
        return Err(Problem::new(Code::UnknownSku).at("/sku", "nothing of this name is sold"));
    }
    let id = db::quota::put(conn, org, project, &request.sku, gpus_max, by).await?;
    let now = db::quota::get(conn, id).await?;
    let now = now.ok_or_else(|| Problem::not_found(QuotaView::KIND))?;
    Ok(mutation.updated(QuotaView::from(now)).await?)
}
