//! `DELETE /organizations/{id}/members/{user_id}`

use domain::id::{OrgId, UserId};
use utoipa_axum::routes;

use super::OrganizationMember;
use crate::authorization::{On, action};
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
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
            action: Some(&action::ORGANIZATION_MEMBER_REMOVE),
        },
    )
}

/// Remove a member from an organization
///
/// His roles in its projects go with it, and his keys in it open nothing from then on. What he
/// started goes on. The last owner cannot be removed.
#[utoipa::path(delete, path = "/api/v1/organizations/{id}/members/{user_id}",
    params(("id" = String, Path), ("user_id" = String, Path)),
    responses((status = 204, description = "The member is gone")))]
async fn handler(
    mut mutation: Mutation,
    Path((org_id, user_id)): Path<(OrgId, UserId)>,
) -> Result<Committed<OrganizationMember>, Problem> {
    super::lock(mutation.conn(), org_id).await?;
    let member = db::membership::get(mutation.conn(), org_id, user_id).await?;
    let member = member.ok_or_else(|| Problem::not_found("member"))?;
    let mut mutation = mutation.authorize(On::Organization)?;
    super::within_reach(mutation.principal()?, member.role)?;
    super::keeps_an_owner(mutation.conn(), &member).await?;
    db::membership::delete(mutation.conn(), org_id, user_id).await?;
    Ok(mutation.deleted(super::id(org_id, user_id)).await?)
}
