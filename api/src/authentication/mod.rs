//! Who is calling: exactly one credential, resolved by the resolver of its form (AK-05): an API
//! key, an access token of the configured OpenID provider, or a browser's session.

mod api_key;
pub(crate) mod bearer;
#[cfg(test)]
mod chain;
pub(crate) mod cookie;
#[cfg(test)]
mod dead_database;
mod forgery;
pub(crate) mod session;
pub(crate) mod webhook;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use domain::api_key::Scope;
use domain::browser_session::SessionSecret;
use domain::id::{ApiKeyId, BrowserSessionId, IdentityId, OrgId, ProjectId, UserId};
use domain::jwt::{Compact, Reject};
use domain::role::{PlatformRole, ProjectRole, Role};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::app::App;
use crate::problem::{Code, Problem};

const ORGANIZATION: HeaderName = HeaderName::from_static("berth-organization");

/// A caller who proved who he is, in the organization that his credential is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub user_id: UserId,
    pub org_id: OrgId,
    pub credential: Credential,
    /// Role in the organization.
    pub role: Role,
    pub project_roles: BTreeMap<ProjectId, ProjectRole>,
    pub platform_role: Option<PlatformRole>,
    /// What the credential may be used for.
    pub scopes: BTreeSet<Scope>,
}

impl Principal {
    /// Runs the whole installation.
    pub fn is_operator(&self) -> bool {
        self.platform_role == Some(PlatformRole::Operator)
    }

    /// Reads what concerns money: finance, and operators.
    pub fn sees_money(&self) -> bool {
        self.platform_role.is_some()
    }
}

/// What the caller proved it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    ApiKey(ApiKeyId),
    /// An access token whose subject is linked to the person.
    Identity(IdentityId),
    /// A browser that somebody logged in with.
    Session(BrowserSessionId),
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(id) => id.fmt(f),
            Self::Identity(id) => id.fmt(f),
            Self::Session(id) => id.fmt(f),
        }
    }
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
pub(crate) enum Refusal {
    Missing,
    Multiple,
    UnknownForm,
    Checksum,
    Unknown,
    WrongSecret,
    Expired,
    Revoked,
    InternalToken,
    /// A webhook whose signature does not hold, or not any more.
    Webhook,
    /// A session's secret that was never one.
    Session,
    /// A session that was ended.
    SessionEnded,
    /// A session that is too old, or was idle for too long.
    SessionExpired,
    /// A session, in a change that another site's page asked for.
    CrossSite,
    /// A login that did not come to its end.
    Login,
    /// An access token, and no provider is configured.
    NoIssuer,
    /// An access or ID token that does not hold; `jwt_reject_total` says why.
    AccessToken(Reject),
    /// A good token of somebody whom nobody linked to a person.
    UnknownSubject,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let reason: &'static str = refusal.into();
        metrics::counter!("auth_failures_total", "reason" => reason).increment(1);
        if let Refusal::AccessToken(reject) = refusal {
            metrics::counter!("jwt_reject_total", "reason" => reject.as_str()).increment(1);
        }
        let code = match refusal {
            Refusal::Missing => Code::CredentialsRequired,
            Refusal::CrossSite => {
                let detail = "a browser's session changes nothing for pages of another site";
                return Self::new(Code::Forbidden).detail(detail);
            }
            Refusal::Multiple => return Self::new(Code::MultipleCredentials),
            // Said only to whom proved to know the secret, or shows a signature that holds.
            Refusal::Expired | Refusal::SessionExpired | Refusal::AccessToken(Reject::Expired) => {
                Code::CredentialsExpired
            }
            Refusal::Revoked
            | Refusal::SessionEnded
            | Refusal::AccessToken(
                Reject::RevokedKey
                | Reject::RevokedToken
                | Reject::RevokedSession
                | Reject::IssuedBefore,
            ) => Code::CredentialsRevoked,
            // AK-02: one answer for all of these, so that it tells nothing about what exists.
            Refusal::UnknownForm
            | Refusal::Checksum
            | Refusal::Unknown
            | Refusal::WrongSecret
            | Refusal::InternalToken
            | Refusal::Webhook
            | Refusal::Session
            | Refusal::Login
            | Refusal::NoIssuer
            | Refusal::AccessToken(_)
            | Refusal::UnknownSubject => Code::InvalidCredentials,
        };
        Self::new(code).header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }
}

/// Finds out who calls, from where.
pub(crate) async fn principal(
    app: &App,
    request: &Parts,
    from: IpAddr,
) -> Result<Principal, Problem> {
    let wanted = organization(&request.headers)?;
    let principal = match given(&request.headers)? {
        Given::Session(secret) => {
            forgery::judge(app, request)?;
            session::resolve(app, secret, wanted).await?
        }
        Given::AccessToken(token) => bearer::resolve(app, token, wanted).await?,
        Given::ApiKey(key) => api_key::resolve(app, key, from).await?,
    };
    if wanted.is_some_and(|wanted| wanted != principal.org_id) {
        let detail = "the API key belongs to another organization";
        return Err(Problem::new(Code::Forbidden).detail(detail));
    }
    Ok(principal)
}

/// Whether a look at the text alone refuses the caller: he costs no query of any kind, not even the
/// limiter's (AK-02). Who gives no credential at all is not among them.
pub(crate) fn refused_at_sight(headers: &HeaderMap) -> bool {
    match given(headers) {
        Ok(Given::ApiKey(key)) => domain::api_key::ApiKey::parse(key).is_err(),
        Ok(Given::AccessToken(token)) => Compact::parse(token).is_err(),
        Ok(Given::Session(secret)) => SessionSecret::parse(secret).is_none(),
        Err(refusal) => refusal != Refusal::Missing,
    }
}

/// Tells credentials apart without keeping them, and the organizations that one is used in.
pub(crate) fn fingerprint(headers: &HeaderMap) -> [u8; 32] {
    let mut hash = Sha256::new();
    let headers_of = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let authorizations = headers_of(header::AUTHORIZATION).map(|value| (b'a', value));
    let organizations = headers_of(ORGANIZATION).map(|value| (b'o', value));
    let sessions = cookie::named(headers, cookie::SESSION).map(|value| (b's', value.as_bytes()));
    for (kind, value) in authorizations.chain(organizations).chain(sessions) {
        hash.update([kind]);
        hash.update(value.len().to_be_bytes());
        hash.update(value);
    }
    hash.finalize().into()
}

/// Refuses API keys where only a person may act, as soon as people can come in another way
/// (ADR 19).
pub(crate) fn person(app: &App, principal: Option<&Principal>) -> Result<(), Problem> {
    let by_key = principal.is_some_and(|p| matches!(p.credential, Credential::ApiKey(_)));
    if by_key && app.issuer.is_some() {
        let detail = "API keys do not make API keys: come with a token of the identity provider";
        return Err(Problem::new(Code::Forbidden).detail(detail));
    }
    Ok(())
}

/// Checks the bearer token of internal callers against the one or two that are good now (JWT-06).
pub(crate) fn internal(expected: &[SecretString], headers: &HeaderMap) -> Result<(), Problem> {
    let (Given::AccessToken(token) | Given::ApiKey(token)) = given(headers)? else {
        return Err(Refusal::InternalToken.into());
    };
    let token = Sha256::digest(token);
    // Hashes are of one length, and none of them is left out: the time tells nothing.
    let good = expected.iter().fold(Choice::from(0), |good, one| {
        good | token.ct_eq(&Sha256::digest(one.expose_secret()))
    });
    if bool::from(good) {
        Ok(())
    } else {
        Err(Refusal::InternalToken.into())
    }
}

/// A credential by its form, nothing of it proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given<'h> {
    Session(&'h str),
    AccessToken(&'h str),
    ApiKey(&'h str),
}

/// The one credential of a request. Two would leave open who is meant, even two of the same.
fn given(headers: &HeaderMap) -> Result<Given<'_>, Refusal> {
    let sessions = cookie::named(headers, cookie::SESSION).map(|value| Ok(Given::Session(value)));
    let bearers = headers.get_all(header::AUTHORIZATION).iter().map(bearer);
    let mut all = sessions.chain(bearers);
    let first = all.next().ok_or(Refusal::Missing)?;
    match all.next() {
        Some(_) => Err(Refusal::Multiple),
        None => first,
    }
}

fn bearer(value: &HeaderValue) -> Result<Given<'_>, Refusal> {
    let text = value.to_str().map_err(|_| Refusal::UnknownForm)?;
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(Refusal::UnknownForm),
    };
    if token.starts_with("berth_") {
        Ok(Given::ApiKey(token))
    } else {
        Ok(Given::AccessToken(token))
    }
}

/// The organization that a person of several wants to act in.
fn organization(headers: &HeaderMap) -> Result<Option<OrgId>, Problem> {
    let mut named = headers.get_all(ORGANIZATION).iter();
    let Some(first) = named.next() else {
        return Ok(None);
    };
    let id = first
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok());
    match (id, named.next()) {
        (Some(id), None) => Ok(Some(id)),
        _ => Err(Problem::new(Code::MalformedRequest)
            .detail("Berth-Organization is not one organization's id, org_…")),
    }
}
