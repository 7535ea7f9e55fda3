//! `DELETE /ssh-keys/{id}`

use domain::id::SshKeyId;
use utoipa_axum::routes;

use super::SshKey;
use crate::authorization::{On, action};
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Principal,
            rate: RateClass::Write,
            idempotency: Idempotency::None,
            action: Some(&action::SSH_KEY_DELETE),
        },
    )
}

/// Delete a public SSH key
///
/// No further allocation takes it; those that have it keep it until they end.
#[utoipa::path(delete, path = "/api/v1/ssh-keys/{id}", params(("id" = String, Path)),
    responses((status = 204, description = "The key is gone")))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<SshKeyId>,
) -> Result<Committed<SshKey>, Problem> {
    let key = db::ssh_key::lock(mutation.conn(), id).await?;
    let key = key.ok_or_else(|| Problem::not_found(SshKey::KIND))?;
    let mut mutation = mutation.authorize(On::Owned(key.user_id))?;
    db::ssh_key::delete(mutation.conn(), id).await?;
    Ok(mutation.deleted(id).await?)
}
