//! `PATCH /admin/authorization-policies/{id}`

use domain::id::AuthorizationPolicyId;
use domain::name::Name;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::AuthorizationPolicy;
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::if_match::IfMatch;
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
            action: Some(&action::AUTHORIZATION_POLICY_UPDATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateAuthorizationPolicy)]
struct Request {
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    name: Option<Name>,
    /// One Cedar policy.
    #[schema(min_length = 1, max_length = 8192)]
    policy: Option<String>,
}

/// Change a rule
#[utoipa::path(patch, path = "/api/v1/admin/authorization-policies/{id}",
    params(("id" = String, Path)), request_body = Request,
    responses((status = 200, description = "The rule as it is now", body = AuthorizationPolicy)))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<AuthorizationPolicyId>,
    if_match: IfMatch,
    Body(request): Body<Request>,
) -> Result<Committed<AuthorizationPolicy>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    let (app, by) = (permitted.app(), permitted.principal()?.user_id);
    let conn = permitted.conn();
    let row = db::authorization_policy::lock(conn, id)
        .await?
        .ok_or_else(|| Problem::not_found(AuthorizationPolicy::KIND))?;
    if_match.check(row.version)?;
    if let Some(text) = &request.policy {
        super::check(&app, row.org_id, text)?;
    }
    let name = request.name.as_ref().map(Name::as_str);
    let now = db::authorization_policy::update(conn, id, name, request.policy.as_deref(), by)
        .await
        .map_err(super::name_taken)?;
    let answer = permitted.updated(AuthorizationPolicy::from(now)).await?;
    refresh::changed(&app, super::KEY).await;
    Ok(answer)
}
