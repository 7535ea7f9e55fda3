//! `POST /api-keys/{id}:rotate`

use domain::id::ApiKeyId;
use domain::policy::{KEY_LIFETIME, KEY_LIFETIME_MAX, KEY_OVERLAP, KEY_OVERLAP_MAX};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{ApiKey, IssuedApiKey, MIN_LIFETIME_SECONDS};
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::query::Path;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Person,
            rate: RateClass::Credential,
            idempotency: Idempotency::ShownOnce(
                "rotate {id} once more, under another Idempotency-Key, to get a secret",
            ),
            action: Some(&action::API_KEY_ROTATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RotateApiKey)]
struct Request {
    /// How long the old secret opens, too: at most 7 days; a day when missing; 0: no longer.
    #[schema(minimum = 0, maximum = 604_800)]
    overlap_seconds: Option<i64>,
    /// How long the new one opens: from a minute to 365 days; 90 days when missing.
    #[schema(minimum = 60, maximum = 31_536_000)]
    lifetime_seconds: Option<i64>,
}

/// Give an API key a new secret
///
/// Id, public id and scopes stay. The answer is the only one that shows the secret, and it goes to
/// the person in whose name the key acts and to nobody else: an admin revokes.
#[utoipa::path(post, path = "/api/v1/api-keys/{id}:rotate", params(("id" = String, Path)),
    request_body = Request,
    responses((status = 200, description = "The key with its new secret", body = IssuedApiKey)))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<ApiKeyId>,
    Body(request): Body<Request>,
) -> Result<Committed<IssuedApiKey>, Problem> {
    let key = db::api_key::lock(mutation.conn(), id).await?;
    let key = key.ok_or_else(|| Problem::not_found(ApiKey::KIND))?;
    let mut mutation = mutation.authorize(On::Owned(key.user_id))?;
    let principal = mutation.principal()?.clone();
    if key.user_id != principal.user_id {
        return Err(Problem::new(Code::Forbidden)
            .detail("a new secret goes to the key's own person; an admin revokes the key"));
    }
    super::grantable(&principal, &key.scopes)?;
    if key.revoked_at.is_some() {
        return Err(Problem::new(Code::Conflict).detail("the key is revoked"));
    }
    let (conn, org) = (mutation.conn(), principal.org_id);
    let overlap_seconds = super::within(
        conn,
        org,
        "/overlap_seconds",
        request.overlap_seconds,
        (0, &KEY_OVERLAP, &KEY_OVERLAP_MAX),
    )
    .await?;
    let lifetime_seconds = super::within(
        conn,
        org,
        "/lifetime_seconds",
        request.lifetime_seconds,
        (MIN_LIFETIME_SECONDS, &KEY_LIFETIME, &KEY_LIFETIME_MAX),
    )
    .await?;
    // One that had expired opens something again from now on.
    super::room_for(conn, &principal, Some(id)).await?;
    let drawn = super::draw_key(Some(&key.public_id))?;
    let secret = drawn.secret_sha256();
    let key = db::api_key::rotate(
        mutation.conn(),
        id,
        secret,
        overlap_seconds,
        lifetime_seconds,
    );
    let key = key.await?.into();
    Ok(mutation
        .updated(IssuedApiKey {
            key,
            secret: drawn.reveal(),
        })
        .await?)
}
