//! `DELETE /admin/identities/{id}`

use domain::id::IdentityId;
use utoipa_axum::routes;

use super::Identity;
use crate::authorization::{On, action};
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::None,
            action: Some(&action::IDENTITY_UNLINK),
        },
    )
}

/// Unlink an identity
///
/// Its tokens open nothing from then on; the person and his keys stay as they are.
#[utoipa::path(delete, path = "/api/v1/admin/identities/{id}", params(("id" = String, Path)),
    responses((status = 204, description = "The link is gone")))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<IdentityId>,
) -> Result<Committed<Identity>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let identity = db::identity::get(mutation.conn(), id).await?;
    identity.ok_or_else(|| Problem::not_found(Identity::KIND))?;
    db::identity::delete(mutation.conn(), id).await?;
    Ok(mutation.deleted(id).await?)
}
