//! `GET /ssh-keys`

use domain::id::SshKeyId;
use utoipa_axum::routes;

use super::SshKey;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// List public SSH keys, oldest first
#[utoipa::path(get, path = "/api/v1/ssh-keys", params(Paging),
    responses((status = 200, description = "One page", body = Page<SshKey>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<SshKey>, Problem> {
    let after = paging.after::<SshKey, SshKeyId>()?;
    let keys = db::ssh_key::list(reader.conn(), after, paging.rows()).await?;
    Ok(paging.page(keys.into_iter().map(SshKey::from).collect()))
}
