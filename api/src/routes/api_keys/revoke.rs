//! `POST /api-keys/{id}:revoke`

use domain::id::ApiKeyId;
use utoipa_axum::routes;

use super::ApiKey;
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
            rate: RateClass::Credential,
            idempotency: Idempotency::None,
            action: Some(&action::API_KEY_REVOKE),
        },
    )
}

/// Revoke an API key
///
/// Both its secrets open nothing from the next request on. Revoking it again changes nothing.
#[utoipa::path(post, path = "/api/v1/api-keys/{id}:revoke", params(("id" = String, Path)),
    responses((status = 200, description = "The revoked key", body = ApiKey)))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<ApiKeyId>,
) -> Result<Committed<ApiKey>, Problem> {
    let absent = || Problem::not_found(ApiKey::KIND);
    let key = db::api_key::lock(mutation.conn(), id)
        .await?
        .ok_or_else(absent)?;
    let mut mutation = mutation.authorize(On::Owned(key.user_id))?;
    db::api_key::revoke(mutation.conn(), id).await?;
    let key = db::api_key::get(mutation.conn(), id)
        .await?
        .ok_or_else(absent)?;
    Ok(mutation.updated(ApiKey::from(key)).await?)
}
