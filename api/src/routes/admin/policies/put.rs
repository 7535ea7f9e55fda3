//! `PUT /admin/policies/{key}`

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{PolicyValue, ScopeName};
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::policy::refresh;
use crate::problem::Problem;
use crate::query::Path;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::None,
            action: Some(&action::POLICY_SET),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetPolicy)]
struct Request {
    /// A whole number within the policy's bounds.
    #[schema(value_type = i64)]
    value: Value,
    /// `platform` (also when missing), or the id of an organization or a project.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    scope: ScopeName,
}

/// Set a policy in one scope
#[utoipa::path(put, path = "/api/v1/admin/policies/{key}", params(("key" = String, Path)),
    request_body = Request,
    responses((status = 200, description = "The policy as it is now", body = PolicyValue)))]
async fn handler(
    mutation: Mutation,
    Path(key): Path<String>,
    Body(request): Body<Request>,
) -> Result<Committed<PolicyValue>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let by = mutation.principal()?.user_id;
    let policy = super::find(&key)?;
    let value = policy
        .parse(&request.value)
        .map_err(|why| Problem::invalid("/value", why.to_string()))?;
    let conn = mutation.conn();
    let scope = request.scope.find(conn).await?;
    let scope = scope.ok_or_else(|| Problem::invalid("/scope", "there is no such scope"))?;
    db::policy::put(conn, policy, scope, value, Some(by), None).await?;
    let now = PolicyValue::read(conn, policy, scope).await?;
    let app = mutation.app();
    let answer = mutation.updated(now).await?;
    refresh::changed(&app, policy.key).await;
    Ok(answer)
}
