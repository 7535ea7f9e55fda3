//! `DELETE /admin/authorization-policies/{id}`

use domain::id::AuthorizationPolicyId;
use utoipa_axum::routes;

use super::AuthorizationPolicy;
use crate::authorization::{On, action};
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::policy::refresh;
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
            action: Some(&action::AUTHORIZATION_POLICY_DELETE),
        },
    )
}

/// Take a rule out of force
///
/// No rule can forbid this: what shuts everybody out can be taken back.
#[utoipa::path(delete, path = "/api/v1/admin/authorization-policies/{id}",
    params(("id" = String, Path)),
    responses((status = 204, description = "The rule is gone; its history stays")))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<AuthorizationPolicyId>,
) -> Result<Committed<AuthorizationPolicy>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    let (app, by) = (permitted.app(), permitted.principal()?.user_id);
    let conn = permitted.conn();
    db::authorization_policy::lock(conn, id)
        .await?
        .ok_or_else(|| Problem::not_found(AuthorizationPolicy::KIND))?;
    db::authorization_policy::delete(conn, id, by).await?;
    let answer = permitted.deleted(id).await?;
    refresh::changed(&app, super::KEY).await;
    Ok(answer)
}
