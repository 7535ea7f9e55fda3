//! `GET /auth/callback`

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use db::audit::{Actor, Entry, Outcome};
use db::browser_session::New;
use db::identity::Known;
use domain::browser_session::{Login, SessionSecret};
use domain::id::BrowserSessionId;
use domain::policy::{self, Scope};
use domain::role::PlatformRole;
use platform::oidc::Signed;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::{OPEN, provider, refused};
use crate::app::App;
use crate::authentication::{Refusal, bearer, cookie};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::problem::{Code, Problem};
use crate::query::Query;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), OPEN)
}

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// What the provider sends along; it may add more.
#[derive(Debug, Deserialize, IntoParams)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    /// Whose answer it is (RFC 9207).
    iss: Option<String>,
    /// Why there is no code (RFC 6749, section 4.1.2.1).
    error: Option<String>,
}

/// Come back from the identity provider
///
/// Opens a session and goes on to where the login was to end. What the provider says of roles
/// counts for nothing here, and none of its tokens is kept.
#[utoipa::path(get, path = "/auth/callback", params(Answer),
    responses((status = 200, description = "Logged in: a page that goes on, and the session's cookie",
               content_type = "text/html")))]
async fn handler(
    call: Call,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, Problem> {
    let app = &call.app;
    let login = begun(app, &headers, &answer).await?;
    let (issuer, relying) = provider(app)?;
    let code = answer.code.as_deref().ok_or_else(|| {
        let why = answer.error.as_deref().unwrap_or_default();
        let plain = |text: &&str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let why = Some(why).filter(plain).unwrap_or_default();
        Problem::from(Refusal::Login).detail(format!("the identity provider says no: {why}"))
    })?;
    let from = answer.iss.as_deref();
    let signed = relying.redeem(issuer, &login, code, from).await;
    let signed = signed.map_err(refused)?;
    let secret = SessionSecret::new(rand::random());
    open(&call, &login, signed, &secret).await?;
    Ok(welcome(&login, &secret))
}

/// The login that this is the answer to: begun in this browser, a short while ago.
async fn begun(app: &App, headers: &HeaderMap, answer: &Answer) -> Result<Login, Problem> {
    let other = || {
        let detail = "this login was not begun in this browser within the last ten minutes: \
                      begin again at /auth/login";
        Problem::new(Code::MalformedRequest).detail(detail)
    };
    let mut cookies = cookie::named(headers, cookie::LOGIN);
    let login = cookies.next().and_then(Login::parse).ok_or_else(other)?;
    let mut conn = app.pool.acquire().await.map_err(db::Error::from)?;
    let now = db::clock::now(&mut conn).await?.unix_timestamp();
    let state = answer.state.as_deref().unwrap_or_default();
    if cookies.next().is_none() && login.is_answered_by(state, now) {
        Ok(login)
    } else {
        Err(other())
    }
}

/// The session and its audit entry.
async fn open(
    call: &Call,
    login: &Login,
    signed: Signed,
    secret: &SessionSecret,
) -> Result<(), Problem> {
    let (_, relying) = provider(&call.app)?;
    let rules = relying.rules();
    // Before anybody is known; only what follows is seen in it.
    let mut tx = db::scope::platform(&call.app.pool).await?;
    let claimed = bearer::claimed(&rules.issuer, &signed);
    let found = db::identity::authenticate(&mut tx, claimed).await?;
    let now = found.now.unix_timestamp();
    let claims = signed.statement.check(&signed.key_id, rules, now);
    let claims = claims.map_err(Refusal::AccessToken)?;
    claims.denied(found.denials).map_err(Refusal::AccessToken)?;
    let known = found.known.ok_or_else(|| {
        Problem::from(Refusal::UnknownSubject).detail(format!(
            "nobody is linked to subject {:?} of this provider: ask an operator",
            claims.subject
        ))
    })?;
    if login.organization.is_some() {
        bearer::choose(&known, login.organization)?;
    }
    // Nobody logs in into a session that somebody else knows (WEB-03).
    if let Some(old) = &login.replaces
        && let Some(old) = db::browser_session::authenticate(&mut tx, &rules.issuer, old).await?
    {
        db::browser_session::end(&mut tx, old.id).await?;
    }
    let id: BrowserSessionId = db::id::fresh();
    let (idle, lifetime) = bounds(&mut tx, &known).await?;
    let new = New {
        id,
        identity_id: known.id,
        org_id: login.organization,
        secret_sha256: secret.sha256(),
        provider_key_id: &claims.key_id,
        provider_session_id: claims.session_id.as_deref(),
        token_issued_at_seconds: claims.issued_at,
        for_operator: known.platform_role == Some(PlatformRole::Operator),
        idle_seconds: idle,
        lifetime_seconds: lifetime,
    };
    let expires_at = db::browser_session::insert(&mut tx, &new).await?;
    let entry = Entry {
        org_id: login.organization,
        actor: Actor {
            kind: "user",
            id: &known.user_id.to_string(),
            user_id: Some(known.user_id),
        },
        action: "browser_session.create",
        resource_kind: "browser_session",
        resource_id: Some(&id.to_string()),
        outcome: Outcome::Allowed,
        reason: None,
        request_id: Some(call.request_id.as_str()),
        detail: &json!({
            "identity_id": known.id.to_string(),
            "expires_at_seconds": expires_at.unix_timestamp(),
        }),
    };
    db::audit::append(&mut tx, entry).await?;
    tx.commit().await.map_err(db::Error::from)?;
    Ok(())
}

/// Seconds without a request, and seconds in all.
async fn bounds(conn: &mut db::PgConnection, known: &Known) -> Result<(i32, i32), Problem> {
    let (idle, lifetime) = if known.platform_role == Some(PlatformRole::Operator) {
        (
            &policy::OPERATOR_SESSION_IDLE,
            &policy::OPERATOR_SESSION_LIFETIME,
        )
    } else {
        (&policy::SESSION_IDLE, &policy::SESSION_LIFETIME)
    };
    let mut seconds = [0; 2];
    for (seconds, policy) in seconds.iter_mut().zip([idle, lifetime]) {
        let value = db::policy::resolve(conn, policy, Scope::Platform).await?;
        *seconds = i32::try_from(value).map_err(|_| Problem::new(Code::Internal))?;
    }
    let [idle, lifetime] = seconds;
    Ok((idle, lifetime))
}

/// A page of our own: a redirect would still count as the provider's, and the browser would not
/// send a `SameSite=Strict` cookie along.
fn welcome(login: &Login, secret: &SessionSecret) -> Response {
    // What a `LocalPath` may hold ends no attribute but for these two.
    let path = login.return_to.as_str();
    let path = path.replace('&', "&amp;").replace('\'', "&#39;");
    let page = format!(
        "<!doctype html><meta charset='utf-8'><meta http-equiv='refresh' content='0; url={path}'>\
         <title>Berth</title><p>You are logged in. <a href='{path}'>Go on</a></p>\n"
    );
    let cookies = AppendHeaders([
        (header::SET_COOKIE, cookie::session(&secret.reveal())),
        (header::SET_COOKIE, cookie::forget(cookie::LOGIN)),
    ]);
    let headers = [
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(CONTENT_SECURITY_POLICY),
        ),
        (
            HeaderName::from_static("referrer-policy"),
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (StatusCode::OK, headers, cookies, Html(page)).into_response()
}
