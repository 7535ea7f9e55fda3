//! Resolves sessions of browsers. What holds for access tokens of the same person holds for them,
//! too: whoever revokes those ends these.

use axum::http::request::Parts;
use db::browser_session::Found;
use domain::api_key::Scope;
use domain::browser_session::SessionSecret;
use domain::id::{BrowserSessionId, OrgId};

use super::{Credential, Given, Principal, Refusal, bearer, forgery, given};
use crate::app::App;
use crate::problem::{Code, Problem};

/// One query for a text that could be a secret, none for any other.
pub(super) async fn resolve(
    app: &App,
    secret: &str,
    wanted: Option<OrgId>,
) -> Result<Principal, Problem> {
    let found = find(app, secret).await?;
    if found.ended {
        return Err(Refusal::SessionEnded.into());
    }
    if found.expired {
        return Err(Refusal::SessionExpired.into());
    }
    let membership = bearer::choose(&found.known, wanted.or(found.org_id))?.clone();
    if found.stale_use {
        note_use(app, found.id);
    }
    Ok(Principal {
        user_id: found.known.user_id,
        org_id: membership.org_id,
        credential: Credential::Session(found.id),
        role: membership.role,
        project_roles: membership.project_roles,
        platform_role: found.known.platform_role,
        // A person himself: his roles are his only bounds.
        scopes: Scope::all(),
    })
}

/// The session that a request shows, whether or not it opens anything still; for ending it. A
/// page of ours must ask.
pub(crate) async fn shown(app: &App, request: &Parts) -> Result<Found, Problem> {
    match given(&request.headers)? {
        Given::Session(secret) => {
            forgery::judge(app, request)?;
            find(app, secret).await
        }
        Given::AccessToken(_) | Given::ApiKey(_) => {
            let detail = "there is no session to end: the caller came with another credential";
            Err(Problem::new(Code::Forbidden).detail(detail))
        }
    }
}

/// Sessions of the provider that people log in with now; where there is none, nobody's.
async fn find(app: &App, secret: &str) -> Result<Found, Problem> {
    let secret = SessionSecret::parse(secret).ok_or(Refusal::Session)?;
    let relying = app.relying.as_ref().ok_or(Refusal::Session)?;
    let issuer = &relying.rules().issuer;
    let mut conn = app.pool.acquire().await.map_err(db::Error::from)?;
    let found = db::browser_session::authenticate(&mut conn, issuer, &secret.sha256()).await?;
    Ok(found.ok_or(Refusal::Session)?)
}

/// Off the request's way. A note that is lost is made up for by the next request, a tenth of the
/// idle time later; the last one before a pause may be lost for good, and the session end early.
fn note_use(app: &App, id: BrowserSessionId) {
    let pool = app.pool.clone();
    app.tasks.spawn(async move {
        let noted = async { db::browser_session::touch(&mut *pool.acquire().await?, id).await };
        if let Err(error) = noted.await {
            tracing::debug!(%id, error = &error as &dyn std::error::Error, "use not noted");
        }
    });
}
