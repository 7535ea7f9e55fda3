//! `GET /admin/archives/{id}`

use domain::id::ArchiveId;
use utoipa_axum::routes;

use super::ArchiveView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// Get an archive
#[utoipa::path(get, path = "/api/v1/admin/archives/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "What it holds", body = ArchiveView)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<ArchiveId>,
) -> Result<Found<ArchiveView>, Problem> {
    let row = db::archive::find(reader.conn(), id).await?;
    let row = row.ok_or_else(|| Problem::not_found(ArchiveView::KIND))?;
    Ok(Found(row.into()))
}
