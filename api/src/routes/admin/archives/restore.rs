//! `POST /admin/archives/{id}:restore`

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
    Endpoint::new(routes!(handler), guard(&action::ARCHIVE_RESTORE))
}

/// Bring an archive back into the database
///
/// It is proved first, becomes a partition of its table again, and stays as long as the policy
/// `partition.restored_kept_seconds` says. One that is there already is left alone.
#[utoipa::path(post, path = "/api/v1/admin/archives/{id}:restore", params(("id" = String, Path)),
    request_body = Reason,
    responses((status = 202, description = "It is going to be brought back", body = OperationView)))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<ArchiveId>,
    Body(request): Body<Reason>,
) -> Result<Committed<OperationView>, Problem> {
    handle(mutation, id, Task::Restore, &request).await
}
