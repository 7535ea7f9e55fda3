//! `GET /organizations/{id}/members/{user_id}`

use domain::id::{OrgId, UserId};
use utoipa_axum::routes;

use super::{OrganizationMember, READ};
use crate::call::Reader;
use crate::endpoint::Endpoint;
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Found;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), READ)
}

/// Get a member of an organization
#[utoipa::path(get, path = "/api/v1/organizations/{id}/members/{user_id}",
    params(("id" = String, Path), ("user_id" = String, Path)),
    responses((status = 200, description = "The member", body = OrganizationMember)))]
async fn handler(
    mut reader: Reader,
    Path((org_id, user_id)): Path<(OrgId, UserId)>,
) -> Result<Found<OrganizationMember>, Problem> {
    let member = db::membership::get(reader.conn(), org_id, user_id).await?;
    let member = member.ok_or_else(|| Problem::not_found("member"))?;
    Ok(Found(member.into()))
}
