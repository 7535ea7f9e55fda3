//! `GET /admin/nodes`

use domain::id::NodeId;
use domain::state::NodeState;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::AdminNodeView;
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
    sku: Option<String>,
    #[param(value_type = Option<String>)]
    state: Option<NodeState>,
}

/// List nodes, newest first
#[utoipa::path(get, path = "/api/v1/admin/nodes", params(Paging, Filter),
    responses((status = 200, description = "One page", body = Page<AdminNodeView>)))]
async fn handler(
    mut reader: Reader,
    paging: Paging,
    Query(filter): Query<Filter>,
) -> Result<Page<AdminNodeView>, Problem> {
    let after = paging.after::<AdminNodeView, NodeId>()?;
    let (sku, state) = (filter.sku.as_deref(), filter.state);
    let rows = db::node::list(reader.conn(), sku, state, after, paging.rows()).await?;
    Ok(paging.page(AdminNodeView::load_all(reader.conn(), rows).await?))
}
