//! `GET /organizations`

use domain::id::OrgId;
use utoipa_axum::routes;

use super::{Organization, READ};
use crate::call::Reader;
use crate::endpoint::Endpoint;
use crate::page::{Page, Paging};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), READ)
}

/// List organizations, oldest first
#[utoipa::path(get, path = "/api/v1/organizations", params(Paging),
    responses((status = 200, description = "One page", body = Page<Organization>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<Organization>, Problem> {
    let after = paging.after::<Organization, OrgId>()?;
    let rows = db::organization::list(reader.conn(), after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(Organization::from).collect()))
}
