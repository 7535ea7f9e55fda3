//! `GET /organizations/{id}/members`

use domain::id::{OrgId, UserId};
use utoipa_axum::routes;

use super::{OrganizationMember, READ};
use crate::call::Reader;
use crate::endpoint::Endpoint;
use crate::page::{Page, Paging};
use crate::problem::{Code, Problem};
use crate::query::Path;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), READ)
}

/// List the members of an organization
#[utoipa::path(get, path = "/api/v1/organizations/{id}/members",
    params(("id" = String, Path), Paging),
    responses((status = 200, description = "One page", body = Page<OrganizationMember>)))]
async fn handler(
    mut reader: Reader,
    Path(org_id): Path<OrgId>,
    paging: Paging,
) -> Result<Page<OrganizationMember>, Problem> {
    let organization = db::organization::get(reader.conn(), org_id).await?;
    organization.ok_or_else(|| Problem::not_found("organization"))?;
    // The token holds the member's whole name, organization and person.
    let after = paging
        .after::<OrganizationMember, String>()?
        .map(|id| {
            let (_, user_id) = id.split_once('/')?;
            user_id.parse::<UserId>().ok()
        })
        .map(|id| id.ok_or_else(|| Problem::new(Code::InvalidPageToken)))
        .transpose()?;
    let members = db::membership::list(reader.conn(), org_id, after, paging.rows()).await?;
    Ok(paging.page(members.into_iter().map(OrganizationMember::from).collect()))
}
