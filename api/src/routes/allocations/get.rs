//! `GET /allocations/{id}`

use domain::envelope::{EncCtx, Owner};
use domain::id::AllocationId;
use secrecy::ExposeSecret as _;
use utoipa_axum::routes;

use super::AllocationView;
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// Get an allocation
#[utoipa::path(get, path = "/api/v1/allocations/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "The allocation", body = AllocationView)))]
async fn handler(
    principal: Principal,
    mut reader: Reader,
    Path(id): Path<AllocationId>,
) -> Result<Found<AllocationView>, Problem> {
    let row = db::allocation::get(reader.conn(), principal.org_id, id).await?;
    let row = row.ok_or_else(|| Problem::not_found(AllocationView::KIND))?;
    let mut view = AllocationView::load(reader.conn(), row).await?;
    let stored = db::allocation::scheduler_request(reader.conn(), principal.org_id, id).await?;
    let app = reader.close();
    if let Some(stored) = stored {
        let at = EncCtx::new(Owner::Organization(principal.org_id), &id);
        let text = app.sealer.open(&at, &stored).await?;
        let request = serde_json::from_slice(text.expose_secret());
        view.scheduler_request = Some(request.map_err(|error| Problem::internal(&error))?);
    }
    Ok(Found(view))
}
