//! `POST /admin/archives/{id}:verify`

use domain::id::ArchiveId;
use domain::partition::Task;
use utoipa_axum::routes;

use super::{Reason, guard, handle};
use crate::authorization::action;
use crate::body::Body;
use crate::endpoint::Endpoint;
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::query::Path;
use crate::routes::operations::OperationView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), guard(&action::ARCHIVE_VERIFY))
}

/// Read an archive back, whether it is what it was
///
/// Its manifest, the signature of that, its file and each row of it.
#[utoipa::path(post, path = "/api/v1/admin/archives/{id}:verify", params(("id" = String, Path)),
    request_body = Reason,
    responses((status = 202, description = "It is going to be read", body = OperationView)))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<ArchiveId>,
    Body(request): Body<Reason>,
) -> Result<Committed<OperationView>, Problem> {
    handle(mutation, id, Task::Verify, &request).await
}
