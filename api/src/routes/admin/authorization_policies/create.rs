//! `POST /admin/authorization-policies`

use db::authorization_policy::NewAuthorizationPolicy;
use domain::id::OrgId;
use domain::name::Name;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::AuthorizationPolicy;
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::policy::{MOST_FOR_PLATFORM, MOST_PER_ORGANIZATION, refresh};
use crate::problem::{Code, Problem};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::of::<AuthorizationPolicy>(),
            action: Some(&action::AUTHORIZATION_POLICY_CREATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateAuthorizationPolicy)]
struct Request {
    /// Unique among those of the organization, or of the platform.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    name: Name,
    /// One Cedar policy, valid under the schema in `api/policies/berth.cedarschema`.
    #[schema(min_length = 1, max_length = 8192)]
    policy: String,
    /// Whose requests it is about; missing: everybody's. The policy's head must say the same.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    organization_id: Option<OrgId>,
}

/// Add a rule
///
/// It is in force when the answer comes, on other replicas within seconds.
#[utoipa::path(post, path = "/api/v1/admin/authorization-policies", request_body = Request,
    responses((status = 201, description = "The new rule", body = AuthorizationPolicy)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<AuthorizationPolicy>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    let (app, by) = (permitted.app(), permitted.principal()?.user_id);
    let org_id = request.organization_id;
    super::check(&app, org_id, &request.policy)?;
    let conn = permitted.conn();
    if let Some(org) = org_id
        && db::organization::get(conn, org).await?.is_none()
    {
        let detail = "there is no such organization";
        return Err(Problem::invalid("/organization_id", detail));
    }
    room(conn, org_id).await?;
    let new = NewAuthorizationPolicy {
        id: db::id::fresh(),
        org_id,
        name: request.name.as_str(),
        policy: &request.policy,
        by,
    };
    let made = db::authorization_policy::insert(conn, new)
        .await
        .map_err(super::name_taken)?;
    let answer = permitted.created(AuthorizationPolicy::from(made)).await?;
    refresh::changed(&app, super::KEY).await;
    Ok(answer)
}

/// Each decision looks at all of them: they must stay few.
async fn room(conn: &mut db::PgConnection, org: Option<OrgId>) -> Result<(), Problem> {
    let most = match org {
        None => MOST_FOR_PLATFORM,
        Some(_) => MOST_PER_ORGANIZATION,
    };
    let there = db::authorization_policy::count(conn, org).await?;
    if usize::try_from(there).unwrap_or(usize::MAX) < most {
        Ok(())
    } else {
        let detail = format!("at most {most} rules in this scope");
        Err(Problem::new(Code::LimitReached).detail(detail))
    }
}
