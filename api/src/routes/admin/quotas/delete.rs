//! `DELETE /admin/quotas/{id}`

use domain::id::QuotaId;
use utoipa_axum::routes;

use crate::authorization::{On, action};
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Resource;
use crate::routes::quotas::QuotaView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::None,
            action: Some(&action::QUOTA_REMOVE),
        },
    )
}

/// Take a quota away
#[utoipa::path(delete, path = "/api/v1/admin/quotas/{id}", params(("id" = String, Path)),
    responses((status = 204, description = "The quota is gone")))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<QuotaId>,
) -> Result<Committed<QuotaView>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    if !db::quota::delete(mutation.conn(), id).await? {
        return Err(Problem::not_found(QuotaView::KIND));
    }
    Ok(mutation.deleted(id).await?)
}
