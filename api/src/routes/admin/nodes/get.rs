//! `GET /admin/nodes/{id}`

use domain::id::NodeId;
use utoipa_axum::routes;

use super::AdminNodeView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// Get a node
#[utoipa::path(get, path = "/api/v1/admin/nodes/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "The node", body = AdminNodeView)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<NodeId>,
) -> Result<Found<AdminNodeView>, Problem> {
    let row = db::node::get(reader.conn(), id).await?;
    let row = row.ok_or_else(|| Problem::not_found(AdminNodeView::KIND))?;
    Ok(Found(AdminNodeView::load(reader.conn(), row).await?))
}
