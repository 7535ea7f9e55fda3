//! `POST /api-keys`

use domain::name::Name;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{IssuedApiKey, LIFETIME_SECONDS, MAX_LIFETIME_SECONDS, MIN_LIFETIME_SECONDS};
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};

/// Keys of one person that open something at the same time.
const MAX_LIVE_KEYS: i64 = 20;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Principal,
            rate: RateClass::Credential,
            idempotency: Idempotency::ShownOnce(
                "POST /api/v1/api-keys/{id}:rotate gives the key a new secret",
            ),
            action: Some(&action::API_KEY_CREATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateApiKey)]
struct Request {
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    name: Name,
    /// From a minute to 365 days; 90 days when missing.
    #[schema(minimum = 60, maximum = 31_536_000)]
    lifetime_seconds: Option<i64>,
}

/// Create an API key
///
/// It acts as the caller, with the caller's rights of the moment. The answer is the only one that
/// shows the secret.
#[utoipa::path(post, path = "/api/v1/api-keys", request_body = Request,
    responses((status = 201, description = "The key with its secret", body = IssuedApiKey)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<IssuedApiKey>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let (org_id, user_id) = (mutation.principal()?.org_id, mutation.principal()?.user_id);
    let lifetime_seconds = super::within(
        "/lifetime_seconds",
        request.lifetime_seconds,
        LIFETIME_SECONDS,
        MIN_LIFETIME_SECONDS..=MAX_LIFETIME_SECONDS,
    )?;
    if db::api_key::count_live(mutation.conn(), user_id).await? >= MAX_LIVE_KEYS {
        let detail = format!("{MAX_LIVE_KEYS} keys are live; revoke one first");
        return Err(Problem::new(Code::LimitReached).detail(detail));
    }
    let drawn = super::draw_key(None)?;
    let new = db::api_key::NewApiKey {
        id: db::id::fresh(),
        org_id,
        user_id,
        name: request.name.as_str(),
        public_id: drawn.public_id(),
        secret_sha256: drawn.secret_sha256(),
        lifetime_seconds,
    };
    let key = db::api_key::insert(mutation.conn(), new).await?.into();
    Ok(mutation
        .created(IssuedApiKey {
            key,
            secret: drawn.reveal(),
        })
        .await?)
}
