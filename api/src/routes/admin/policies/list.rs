//! `GET /admin/policies`

use domain::policy::{self, Scope};
use utoipa_axum::routes;

use super::PolicyValue;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// List every policy with its value for the platform, by key
#[utoipa::path(get, path = "/api/v1/admin/policies", params(Paging),
    responses((status = 200, description = "One page", body = Page<PolicyValue>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<PolicyValue>, Problem> {
    let after = paging.after::<PolicyValue, String>()?;
    let mut policies: Vec<_> = policy::all()
        .filter(|policy| {
            after
                .as_ref()
                .is_none_or(|after| *after < format!("{}/", policy.key))
        })
        .collect();
    policies.sort_unstable_by_key(|policy| policy.key);
    let mut values = Vec::new();
    for policy in policies
        .into_iter()
        .take(usize::try_from(paging.rows()).unwrap_or_default())
    {
        values.push(PolicyValue::read(reader.conn(), policy, Scope::Platform).await?);
    }
    Ok(paging.page(values))
}
