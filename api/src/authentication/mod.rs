//! Who is calling: exactly one credential, resolved by the first resolver that knows its form.
//! API keys are the one form that is built; sessions and identity tokens join the same chain.

mod api_key;
#[cfg(test)]
mod dead_database;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, header};
use domain::api_key::Scope;
use domain::id::{ApiKeyId, OrgId, ProjectId, UserId};
use domain::role::{ProjectRole, Role};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::problem::{Code, Problem};

/// A caller who proved who he is, in the organization that his credential is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub user_id: UserId,
    pub org_id: OrgId,
    /// The key that was used.
    pub api_key_id: ApiKeyId,
    /// Role in the organization.
    pub role: Role,
    pub project_roles: BTreeMap<ProjectId, ProjectRole>,
    pub platform_operator: bool,
    /// What the credential may be used for.
    pub scopes: BTreeSet<Scope>,
}

impl Principal {
    /// The stronger of the roles in the organization and in the project.
    pub fn role_in(&self, project: ProjectId) -> Role {
        self.project_roles
            .get(&project)
            .map_or(self.role, |role| Role::from(*role).max(self.role))
    }
}

/// Why nobody is let in; also the `reason` of `auth_failures_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Refusal {
    Missing,
    Multiple,
    UnknownForm,
    Checksum,
    Unknown,
    WrongSecret,
    Expired,
    Revoked,
    InternalToken,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let reason: &'static str = refusal.into();
        metrics::counter!("auth_failures_total", "reason" => reason).increment(1);
        let code = match refusal {
            Refusal::Missing => Code::CredentialsRequired,
            Refusal::Multiple => return Self::new(Code::MultipleCredentials),
            // AK-02: one answer for all of these, so that it tells nothing about what exists.
            Refusal::UnknownForm
            | Refusal::Checksum
            | Refusal::Unknown
            | Refusal::WrongSecret
            | Refusal::InternalToken => Code::InvalidCredentials,
            // Said only to whom proved to know the secret.
            Refusal::Expired => Code::CredentialsExpired,
            Refusal::Revoked => Code::CredentialsRevoked,
        };
        Self::new(code).header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }
}

/// Finds out who calls, from where.
pub(crate) async fn principal(
    app: &App,
    headers: &HeaderMap,
    from: IpAddr,
) -> Result<Principal, Problem> {
    let token = bearer(headers)?;
    if token.starts_with("berth_") {
        return api_key::resolve(app, token, from).await;
    }
    Err(Refusal::UnknownForm.into())
}

/// Whether a look at the text alone refuses the caller: he costs no query of any kind, not even the
/// limiter's (AK-02). Who gives no credential at all is not among them.
pub(crate) fn refused_at_sight(headers: &HeaderMap) -> bool {
    match bearer(headers) {
        Ok(token) => domain::api_key::ApiKey::parse(token).is_err(),
        Err(refusal) => refusal != Refusal::Missing,
    }
}

/// Tells credentials apart without keeping them.
pub(crate) fn fingerprint(headers: &HeaderMap) -> [u8; 32] {
    let mut hash = Sha256::new();
    for value in headers.get_all(header::AUTHORIZATION) {
        hash.update(value.len().to_be_bytes());
        hash.update(value.as_bytes());
    }
    hash.finalize().into()
}

/// Checks the bearer token of internal callers.
pub(crate) fn internal(expected: &SecretString, headers: &HeaderMap) -> Result<(), Problem> {
    let token = bearer(headers)?;
    if bool::from(token.as_bytes().ct_eq(expected.expose_secret().as_bytes())) {
        Ok(())
    } else {
        Err(Refusal::InternalToken.into())
    }
}

/// The one bearer token of a request. Two credentials would leave open who is meant.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let first = given.next().ok_or(Refusal::Missing)?;
    if given.next().is_some() {
        return Err(Refusal::Multiple);
    }
    let text = first.to_str().map_err(|_| Refusal::UnknownForm)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Refusal::UnknownForm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (header::AUTHORIZATION, HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn exactly_one_credential() {
        assert_eq!(bearer(&headers(&[])), Err(Refusal::Missing));
        assert_eq!(
            bearer(&headers(&["Bearer a", "Bearer a"])),
            Err(Refusal::Multiple)
        );
        assert_eq!(bearer(&headers(&["Basic YTpi"])), Err(Refusal::UnknownForm));
        assert_eq!(bearer(&headers(&["Bearer"])), Err(Refusal::UnknownForm));
        assert_eq!(bearer(&headers(&["bearer x"])), Ok("x"));
    }
}
