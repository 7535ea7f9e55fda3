//! `POST /organizations/{id}/members`

use domain::id::OrgId;
use domain::name::{Email, Name};
use domain::role::Role;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::OrganizationMember;
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::query::Path;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PrincipalOrOperator,
            rate: RateClass::Write,
            idempotency: Idempotency::of::<OrganizationMember>(),
            action: Some(&action::ORGANIZATION_MEMBER_ADD),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddOrganizationMember)]
struct Request {
    /// Whoever is known by the address already is taken as he is.
    #[schema(value_type = String, max_length = 254)]
    email: Email,
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    display_name: Name,
    /// `viewer`, `member`, `admin` or `owner`; not above the caller's own.
    #[schema(value_type = String)]
    role: Role,
}

/// Add a member to an organization
#[utoipa::path(post, path = "/api/v1/organizations/{id}/members", params(("id" = String, Path)),
    request_body = Request,
    responses((status = 201, description = "The new member", body = OrganizationMember)))]
async fn handler(
    mut mutation: Mutation,
    Path(org_id): Path<OrgId>,
    Body(request): Body<Request>,
) -> Result<Committed<OrganizationMember>, Problem> {
    super::lock(mutation.conn(), org_id).await?;
    let mut mutation = mutation.authorize(On::Organization)?;
    super::within_reach(mutation.principal()?, request.role)?;
    let conn = mutation.conn();
    let (email, name) = (request.email.as_str(), request.display_name.as_str());
    let user_id = db::user::find_or_insert(conn, db::id::fresh(), email, name).await?;
    if db::membership::get(conn, org_id, user_id).await?.is_some() {
        return Err(Problem::new(Code::Conflict).detail("the person is a member already"));
    }
    db::membership::insert(conn, org_id, user_id, request.role).await?;
    let member = db::membership::get(conn, org_id, user_id).await?;
    let member = member.ok_or_else(|| Problem::new(Code::Internal))?;
    Ok(mutation.created(OrganizationMember::from(member)).await?)
}
