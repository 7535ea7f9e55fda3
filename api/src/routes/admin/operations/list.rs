//! `GET /admin/operations`

use db::operation::Viewer;
use domain::id::OperationId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Query;
use crate::routes::operations::OperationView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those that wait for people: open past their deadline, or a release that failed.
    #[serde(default)]
    #[param(default = false)]
    stuck: bool,
}

/// List operations of everybody, newest first
#[utoipa::path(get, path = "/api/v1/admin/operations", params(Paging, Filter),
    responses((status = 200, description = "One page", body = Page<OperationView>)))]
async fn handler(
    mut reader: Reader,
    paging: Paging,
    Query(filter): Query<Filter>,
) -> Result<Page<OperationView>, Problem> {
    let after = paging.after::<OperationView, OperationId>()?;
    let (viewer, rows) = (Viewer::Platform, paging.rows());
    let operations = if filter.stuck {
        db::operation::list_stuck(reader.conn(), viewer, after, rows).await?
    } else {
        db::operation::list(reader.conn(), viewer, None, after, rows).await?
    };
    let view = |operation| OperationView::new(operation, &reader.app().settings);
    Ok(paging.page(operations.into_iter().map(view).collect()))
}
