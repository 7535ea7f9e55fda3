//! `GET /admin/policy-changes`

use domain::id::AuthorizationPolicyId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::PolicyChange;
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
    /// The key of a value or the id of an authorization policy; missing: all.
    subject: Option<String>,
}

/// List changes of policies, newest first
#[utoipa::path(get, path = "/api/v1/admin/policy-changes", params(Paging, Filter),
    responses((status = 200, description = "One page", body = Page<PolicyChange>)))]
async fn handler(
    mut reader: Reader,
    paging: Paging,
    Query(filter): Query<Filter>,
) -> Result<Page<PolicyChange>, Problem> {
    let before = paging.after::<PolicyChange, i64>()?;
    let subject = filter
        .subject
        .map(|subject| match subject.parse::<AuthorizationPolicyId>() {
            Ok(id) => id.uuid().to_string(),
            Err(_) => subject,
        });
    let conn = reader.conn();
    let rows = db::policy_change::list(conn, subject.as_deref(), before, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(PolicyChange::from).collect()))
}
