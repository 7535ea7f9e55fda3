//! `GET /admin/billing-accounts/{id}`

use domain::id::OrgId;
use utoipa_axum::routes;

use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Found;
use crate::routes::billing::AccountView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::FINANCE_READ)
}

/// See on which terms an organization uses what it uses
#[utoipa::path(get, path = "/api/v1/admin/billing-accounts/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "The account", body = AccountView)))]
async fn handler(mut reader: Reader, Path(id): Path<OrgId>) -> Result<Found<AccountView>, Problem> {
    let account = super::known(reader.conn(), id).await?;
    Ok(Found(AccountView::from(account)))
}
