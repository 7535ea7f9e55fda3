//! `GET /admin/signing-keys`

use domain::signing_key::{ALGORITHM, Kid, Purpose, SigningKey};
use domain::state::SigningKeyState;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// A key that Berth signs with, or did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningKey)]
struct SigningKeyView {
    /// Thumbprint of the public key (RFC 7638).
    #[schema(value_type = String)]
    kid: Kid,
    #[schema(value_type = String, example = "jwt_signer")]
    purpose: Purpose,
    #[schema(example = "EdDSA")]
    algorithm: &'static str,
    /// `pre_published`, `active`, `retiring` or `revoked`.
    #[schema(value_type = String, example = "active")]
    state: SigningKeyState,
    #[schema(value_type = Object)]
    public_jwk: Value,
    /// Since it began to sign, or since it was made.
    age_seconds: f64,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    activated_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    retiring_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
}

impl From<SigningKey> for SigningKeyView {
    fn from(key: SigningKey) -> Self {
        Self {
            public_jwk: key.public.jwk(key.purpose),
            kid: key.kid,
            purpose: key.purpose,
            algorithm: ALGORITHM,
            state: key.state,
            age_seconds: key.age_seconds,
            created_at: key.created_at,
            activated_at: key.activated_at,
            retiring_at: key.retiring_at,
            revoked_at: key.revoked_at,
        }
    }
}

impl Resource for SigningKeyView {
    const KIND: &'static str = "signing_key";

    fn id(&self) -> String {
        self.kid.to_string()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        "/api/v1/admin/signing-keys".to_owned()
    }
}

/// List the keys that Berth signs with, newest first
#[utoipa::path(get, path = "/api/v1/admin/signing-keys", params(Paging),
    responses((status = 200, description = "One page", body = Page<SigningKeyView>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<SigningKeyView>, Problem> {
    let after = paging.after::<SigningKeyView, Kid>()?;
    let keys = db::signing_key::list(reader.conn(), after.as_ref(), paging.rows()).await?;
    Ok(paging.page(keys.into_iter().map(SigningKeyView::from).collect()))
}
