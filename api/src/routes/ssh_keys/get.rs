//! `GET /ssh-keys/{id}`

use domain::id::SshKeyId;
use utoipa_axum::routes;

use super::SshKey;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// Get a public SSH key
#[utoipa::path(get, path = "/api/v1/ssh-keys/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "The key", body = SshKey)))]
async fn handler(mut reader: Reader, Path(id): Path<SshKeyId>) -> Result<Found<SshKey>, Problem> {
    let key = db::ssh_key::get(reader.conn(), id).await?;
    let key = key.ok_or_else(|| Problem::not_found(SshKey::KIND))?;
    Ok(Found(key.into()))
}
