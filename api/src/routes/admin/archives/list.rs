//! `GET /admin/archives`

use db::archive::Which as Filter;
use domain::data_growth::Guarded;
use domain::id::ArchiveId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::ArchiveView;
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
struct Which {
    /// Of this table; missing: of all.
    #[param(value_type = Option<String>)]
    table: Option<Guarded>,
}

/// List partitions that lie in the object store, the latest first
#[utoipa::path(get, path = "/api/v1/admin/archives", params(Which, Paging),
    responses((status = 200, description = "One page", body = Page<ArchiveView>)))]
async fn handler(
    mut reader: Reader,
    Query(which): Query<Which>,
    paging: Paging,
) -> Result<Page<ArchiveView>, Problem> {
    let after = paging.after::<ArchiveView, ArchiveId>()?;
    let filter = Filter {
        table: which.table,
        ..Filter::default()
    };
    let rows = db::archive::list(reader.conn(), filter, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(ArchiveView::from).collect()))
}
