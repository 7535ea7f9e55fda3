//! `GET /admin/dead-letters`

use domain::id::DeadLetterId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::DeadLetterView;
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
    /// Also those that were sent again.
    #[serde(default)]
    #[param(default = false)]
    replayed: bool,
}

/// List what could not be delivered, oldest first
#[utoipa::path(get, path = "/api/v1/admin/dead-letters", params(Paging, Filter),
    responses((status = 200, description = "One page", body = Page<DeadLetterView>)))]
async fn handler(
    mut reader: Reader,
    paging: Paging,
    Query(filter): Query<Filter>,
) -> Result<Page<DeadLetterView>, Problem> {
    let after = paging.after::<DeadLetterView, DeadLetterId>()?;
    let open = !filter.replayed;
    let letters = db::dead_letter::list(reader.conn(), open, after, paging.rows()).await?;
    Ok(paging.page(letters.into_iter().map(DeadLetterView::from).collect()))
}
