//! `PATCH /organizations/{id}/members/{user_id}`

use domain::id::{OrgId, UserId};
use domain::role::Role;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::OrganizationMember;
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::if_match::IfMatch;
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::query::Path;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PrincipalOrOperator,
            rate: RateClass::Write,
            idempotency: Idempotency::None,
            action: Some(&action::ORGANIZATION_MEMBER_UPDATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateOrganizationMember)]
struct Request {
    /// `viewer`, `member`, `admin` or `owner`; not above the caller's own.
    #[schema(value_type = String)]
    role: Role,
}

/// Change a member's role in an organization
///
/// The last owner stays an owner.
#[utoipa::path(patch, path = "/api/v1/organizations/{id}/members/{user_id}",
    params(("id" = String, Path), ("user_id" = String, Path)), request_body = Request,
    responses((status = 200, description = "The member as it is now", body = OrganizationMember)))]
async fn handler(
    mut mutation: Mutation,
    Path((org_id, user_id)): Path<(OrgId, UserId)>,
    if_match: IfMatch,
    Body(request): Body<Request>,
) -> Result<Committed<OrganizationMember>, Problem> {
    let absent = || Problem::not_found("member");
    super::lock(mutation.conn(), org_id).await?;
    let member = db::membership::get(mutation.conn(), org_id, user_id).await?;
    let member = member.ok_or_else(absent)?;
    let mut mutation = mutation.authorize(On::Organization)?;
    super::within_reach(mutation.principal()?, request.role.max(member.role))?;
    if_match.check(member.version)?;
    let conn = mutation.conn();
    if request.role < Role::Owner {
        super::keeps_an_owner(conn, &member).await?;
    }
    db::membership::set_role(conn, org_id, user_id, request.role).await?;
    let member = db::membership::get(conn, org_id, user_id).await?;
    let member = member.ok_or_else(absent)?;
    Ok(mutation.updated(OrganizationMember::from(member)).await?)
}
