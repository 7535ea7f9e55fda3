//! `GET /quotas`

use db::quota::Filter;
use domain::id::{ProjectId, QuotaId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::QuotaView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Query;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those that bind this project: its own and its organization's.
    #[param(value_type = Option<String>)]
    project_id: Option<ProjectId>,
}

/// List the quotas of your organization and its projects, with what is used of them
///
/// Where there is none for a SKU, policy alone limits.
#[utoipa::path(get, path = "/api/v1/quotas", params(Which, Paging),
    responses((status = 200, description = "One page", body = Page<QuotaView>)))]
async fn handler(
    mut reader: Reader,
    Query(which): Query<Which>,
    paging: Paging,
) -> Result<Page<QuotaView>, Problem> {
    let filter = Filter {
        project: which.project_id,
        id: None,
    };
    let after = paging.after::<QuotaView, QuotaId>()?;
    let rows = db::quota::list(reader.conn(), filter, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(QuotaView::from).collect()))
}
