//! Resolves sessions of browsers. What holds for access tokens of the same person holds for them,
//! too: whoever revokes those ends these.

use domain::api_key::Scope;
use domain::browser_session::SessionSecret;
use domain::id::{BrowserSessionId, OrgId};

use super::{Credential, Principal, Refusal, bearer};
use crate::app::App;
use crate::problem::Problem;

/// One query for a text that could be a secret, none for any other.
pub(super) async fn resolve(
    app: &App,
    secret: &str,
    wanted: Option<OrgId>,
) -> Result<Principal, Problem> {
    let secret = SessionSecret::parse(secret).ok_or(Refusal::Session)?;
    let mut conn = app.pool.acquire().await.map_err(db::Error::from)?;
    let found = db::browser_session::authenticate(&mut conn, &secret.sha256()).await?;
    drop(conn);
    let found = found.ok_or(Refusal::Session)?;
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
        platform_operator: found.known.platform_operator,
        // A person himself: his roles are his only bounds.
        scopes: Scope::all(),
    })
}

/// Off the request's way. A note that is lost costs a tenth of the idle time at most, unless the
/// database refuses all of them.
fn note_use(app: &App, id: BrowserSessionId) {
    let pool = app.pool.clone();
    app.tasks.spawn(async move {
        let noted = async { db::browser_session::touch(&mut *pool.acquire().await?, id).await };
        if let Err(error) = noted.await {
            tracing::debug!(%id, error = &error as &dyn std::error::Error, "use not noted");
        }
    });
}
