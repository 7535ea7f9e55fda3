//! `POST /admin/identities/{id}:revoke-tokens`

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
            idempotency: Idempotency::of::<Identity>(),
            action: Some(&action::IDENTITY_REVOKE_TOKENS),
        },
    )
}

/// Make every token void that an identity has now
///
/// Those that the provider issues from the next second on are good.
#[utoipa::path(post, path = "/api/v1/admin/identities/{id}:revoke-tokens",
    params(("id" = String, Path)),
    responses((status = 200, description = "The identity", body = Identity)))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<IdentityId>,
) -> Result<Committed<Identity>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let absent = || Problem::not_found(Identity::KIND);
    let identity = db::identity::get(mutation.conn(), id).await?;
    identity.ok_or_else(absent)?;
    db::identity::revoke_tokens(mutation.conn(), id).await?;
    let identity = db::identity::get(mutation.conn(), id).await?;
    let identity = identity.ok_or_else(absent)?;
    Ok(mutation.updated(Identity::from(identity)).await?)
}
