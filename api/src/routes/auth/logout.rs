//! `POST /auth/logout`

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{AppendHeaders, IntoResponse};
use utoipa_axum::routes;

use crate::authentication::cookie;
use crate::authorization::{On, action};
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::Mutation;
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Session,
            rate: RateClass::Credential,
            idempotency: Idempotency::None,
            action: Some(&action::BROWSER_SESSION_END),
        },
    )
}

/// Log out
///
/// Ends the session that the request shows, on every replica from the next request on. It needs no
/// organization and no right: ending a session must never be hard.
#[utoipa::path(post, path = "/auth/logout",
    responses((status = 204, description = "The session has ended; the browser forgets it")))]
async fn handler(mutation: Mutation) -> Result<impl IntoResponse, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let id = mutation.session()?;
    db::browser_session::end(mutation.conn(), id).await?;
    let done = mutation
        .done::<()>("browser_session", &id.to_string())
        .await?;
    let headers = AppendHeaders([
        (header::SET_COOKIE, cookie::forget(cookie::SESSION)),
        (
            HeaderName::from_static("clear-site-data"),
            // Not its cookies: that would reach whatever else is of this site.
            HeaderValue::from_static("\"cache\", \"storage\""),
        ),
    ]);
    Ok((headers, done))
}
