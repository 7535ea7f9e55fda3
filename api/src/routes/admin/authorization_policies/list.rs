//! `GET /admin/authorization-policies`

use domain::id::{AuthorizationPolicyId, OrgId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::AuthorizationPolicy;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Query;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those of one organization.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    organization_id: Option<OrgId>,
}

/// List rules, oldest first
#[utoipa::path(get, path = "/api/v1/admin/authorization-policies", params(Paging, Filter),
    responses((status = 200, description = "One page", body = Page<AuthorizationPolicy>)))]
async fn handler(
    mut reader: Reader,
    paging: Paging,
    Query(filter): Query<Filter>,
) -> Result<Page<AuthorizationPolicy>, Problem> {
    let after = paging.after::<AuthorizationPolicy, AuthorizationPolicyId>()?;
    let org = filter.organization_id;
    let rows = db::authorization_policy::list(reader.conn(), org, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(AuthorizationPolicy::from).collect()))
}
