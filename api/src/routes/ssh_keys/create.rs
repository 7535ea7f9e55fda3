//! `POST /ssh-keys`

use domain::name::Name;
use domain::ssh_public_key::{self, PublicKeyError};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::SshKey;
use crate::authorization::{Denied, On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Principal,
            rate: RateClass::Write,
            idempotency: Idempotency::of::<SshKey>(),
            action: Some(&action::SSH_KEY_CREATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateSshKey)]
struct Request {
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    name: Name,
    /// One line in OpenSSH form, such as the content of `id_ed25519.pub`.
    public_key: String,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    InvalidKey(#[from] PublicKeyError),
    #[error("the organization has this key already")]
    KnownAlready,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Problem(#[from] Problem),
    #[error(transparent)]
    Database(db::Error),
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        match error.constraint() {
            Some("ssh_keys_fingerprint_unique") => Self::KnownAlready,
            _ => Self::Database(error),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidKey(why) => {
                Self::new(Code::InvalidPublicKey).at("/public_key", why.to_string())
            }
            Error::KnownAlready => Self::new(Code::Conflict).detail(error.to_string()),
            Error::Denied(denied) => denied.into(),
            Error::Problem(problem) => problem,
            Error::Database(error) => error.into(),
        }
    }
}

crate::answers_as_problem!(Error);

/// Add a public SSH key
#[utoipa::path(post, path = "/api/v1/ssh-keys", request_body = Request,
    responses((status = 201, description = "The new key", body = SshKey)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<SshKey>, Error> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let (org_id, user_id) = (mutation.principal()?.org_id, mutation.principal()?.user_id);
    let key = ssh_public_key::parse(&request.public_key, &mutation.app().weak_keys)?;
    let new = db::ssh_key::NewSshKey {
        id: db::id::fresh(),
        org_id,
        user_id,
        name: request.name.as_str(),
        algorithm: &key.algorithm,
        public_key: &key.openssh,
        fingerprint_sha256: &key.fingerprint_sha256,
    };
    let key = db::ssh_key::insert(mutation.conn(), new).await?;
    Ok(mutation.created(SshKey::from(key)).await?)
}
