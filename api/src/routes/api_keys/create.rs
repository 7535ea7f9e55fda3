//! `POST /api-keys`

use std::collections::BTreeSet;

use domain::api_key::Scope;
use domain::name::Name;
use domain::policy::{KEY_LIFETIME, KEY_LIFETIME_MAX};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{IssuedApiKey, MIN_LIFETIME_SECONDS};
use crate::authorization::{On, action, scope};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Person,
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
    /// From a minute to 365 days; 90 days when missing. Policies may narrow both.
    #[schema(minimum = 60, maximum = 31_536_000)]
    lifetime_seconds: Option<i64>,
    /// `read`, `write`, `admin`; when missing: all that the caller has himself.
    #[schema(value_type = Option<Vec<String>>)]
    scopes: Option<BTreeSet<Scope>>,
}

/// Create an API key
///
/// It acts as the caller, with the caller's rights of the moment, within its scopes. The answer is
/// the only one that shows the secret.
#[utoipa::path(post, path = "/api/v1/api-keys", request_body = Request,
    responses((status = 201, description = "The key with its secret", body = IssuedApiKey)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<IssuedApiKey>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let principal = mutation.principal()?.clone();
    let (org_id, user_id) = (principal.org_id, principal.user_id);
    let scopes = request.scopes.unwrap_or_else(|| {
        let own = principal.scopes.iter().copied();
        own.filter(|own| scope::may_grant(&principal, *own))
            .collect()
    });
    if scopes.is_empty() {
        return Err(Problem::invalid("/scopes", "names no scope"));
    }
    super::grantable(&principal, &scopes)?;
    let conn = mutation.conn();
    let lifetime_seconds = super::within(
        conn,
        org_id,
        "/lifetime_seconds",
        request.lifetime_seconds,
        (MIN_LIFETIME_SECONDS, &KEY_LIFETIME, &KEY_LIFETIME_MAX),
    )
    .await?;
    super::room_for(conn, &principal, None).await?;
    let drawn = super::draw_key(None)?;
    let new = db::api_key::NewApiKey {
        id: db::id::fresh(),
        org_id,
        user_id,
        name: request.name.as_str(),
        public_id: drawn.public_id(),
        secret_sha256: drawn.secret_sha256(),
        lifetime_seconds,
        scopes: &scopes,
    };
    let key = db::api_key::insert(mutation.conn(), new).await?.into();
    Ok(mutation
        .created(IssuedApiKey {
            key,
            secret: drawn.reveal(),
        })
        .await?)
}
