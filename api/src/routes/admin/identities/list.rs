//! `GET /admin/identities`

use domain::id::{IdentityId, UserId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::Identity;
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
    /// Those of one person.
    #[param(value_type = Option<String>)]
    user_id: Option<UserId>,
}

/// List linked identities, oldest first
#[utoipa::path(get, path = "/api/v1/admin/identities", params(Paging, Filter),
    responses((status = 200, description = "One page", body = Page<Identity>)))]
async fn handler(
    mut reader: Reader,
    paging: Paging,
    Query(filter): Query<Filter>,
) -> Result<Page<Identity>, Problem> {
    let after = paging.after::<Identity, IdentityId>()?;
    let rows = db::identity::list(reader.conn(), filter.user_id, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(Identity::from).collect()))
}
