//! `GET /admin/quotas`

use db::quota::Filter;
use domain::id::QuotaId;
use utoipa_axum::routes;

use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::routes::quotas::QuotaView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// List every quota, with what is used of it
#[utoipa::path(get, path = "/api/v1/admin/quotas", params(Paging),
    responses((status = 200, description = "One page", body = Page<QuotaView>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<QuotaView>, Problem> {
    let after = paging.after::<QuotaView, QuotaId>()?;
    let rows = db::quota::list(reader.conn(), Filter::default(), after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(QuotaView::from).collect()))
}
