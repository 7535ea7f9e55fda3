//! `GET /operations`

use domain::id::{AllocationId, NodeId, OperationId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{OperationView, READ, viewer};
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::Endpoint;
use crate::page::{Page, Paging};
use crate::problem::{Code, Problem};
use crate::query::Query;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), READ)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only operations of this allocation or node.
    resource_id: Option<String>,
}

impl Filter {
    fn resource(&self) -> Result<Option<Uuid>, Problem> {
        let Some(text) = self.resource_id.as_deref() else {
            return Ok(None);
        };
        text.parse()
            .map(AllocationId::uuid)
            .or_else(|_| text.parse().map(NodeId::uuid))
            .map(Some)
            .map_err(|_| {
                Problem::new(Code::InvalidQuery)
                    .detail("resource_id is the id of an allocation or of a node")
            })
    }
}

/// List operations, newest first
#[utoipa::path(get, path = "/api/v1/operations", params(Paging, Filter),
    responses((status = 200, description = "One page", body = Page<OperationView>)))]
async fn handler(
    principal: Principal,
    mut reader: Reader,
    paging: Paging,
    Query(filter): Query<Filter>,
) -> Result<Page<OperationView>, Problem> {
    let after = paging.after::<OperationView, OperationId>()?;
    let resource = filter.resource()?;
    let (viewer, rows) = (viewer(&principal), paging.rows());
    let operations = db::operation::list(reader.conn(), viewer, resource, after, rows).await?;
    let view = |operation| OperationView::new(operation, &reader.app().settings);
    Ok(paging.page(operations.into_iter().map(view).collect()))
}
