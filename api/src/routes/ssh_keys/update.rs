//! `PATCH /ssh-keys/{id}`

use domain::id::SshKeyId;
use domain::name::Name;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::SshKey;
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::if_match::IfMatch;
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
            action: Some(&action::SSH_KEY_UPDATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateSshKey)]
struct Request {
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    name: Name,
}

/// Rename a public SSH key
#[utoipa::path(patch, path = "/api/v1/ssh-keys/{id}", params(("id" = String, Path)),
    request_body = Request,
    responses((status = 200, description = "The key as it is now", body = SshKey)))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<SshKeyId>,
    if_match: IfMatch,
    Body(request): Body<Request>,
) -> Result<Committed<SshKey>, Problem> {
    let key = db::ssh_key::lock(mutation.conn(), id).await?;
    let key = key.ok_or_else(|| Problem::not_found(SshKey::KIND))?;
    let mut mutation = mutation.authorize(On::Owned(key.user_id))?;
    if_match.check(key.version)?;
    let key = db::ssh_key::rename(mutation.conn(), id, request.name.as_str()).await?;
    Ok(mutation.updated(SshKey::from(key)).await?)
}
