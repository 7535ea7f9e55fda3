//! `GET /auth/login`

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::browser_session::{LocalPath, Login, SessionSecret};
use domain::id::OrgId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::{OPEN, provider, refused};
use crate::authentication::cookie;
use crate::call::Reader;
use crate::endpoint::Endpoint;
use crate::problem::{Code, Problem};
use crate::query::Query;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), OPEN)
}

/// Where nobody says otherwise: who one is.
const HOME: &str = "/api/v1/me";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// Where to go afterwards: a path on this server, at most 1,024 bytes. Unset: `/api/v1/me`.
    return_to: Option<String>,
    /// The organization to act in, for members of several.
    #[param(value_type = Option<String>)]
    organization: Option<OrgId>,
}

/// Log in with a browser
///
/// Sends the browser to the identity provider, which sends it back to `/auth/callback`.
#[utoipa::path(get, path = "/auth/login", params(Wish),
    responses((status = 303, description = "To the identity provider")))]
async fn handler(
    mut reader: Reader,
    headers: HeaderMap,
    Query(wish): Query<Wish>,
) -> Result<Response, Problem> {
    let from = headers.get("sec-fetch-site");
    let asked_by_others = from.is_some_and(|site| site != "same-origin" && site != "none");
    if wish.organization.is_some() && asked_by_others {
        // Or a link of theirs would have people work in an organization of theirs.
        let detail = "no other site's page chooses an organization: type the address";
        return Err(Problem::new(Code::Forbidden).detail(detail));
    }
    let return_to = wish.return_to.as_deref().unwrap_or(HOME);
    let return_to = LocalPath::parse(return_to).ok_or_else(|| {
        Problem::new(Code::InvalidQuery).detail("return_to is not a path on this server")
    })?;
    let now = db::clock::now(reader.conn()).await?.unix_timestamp();
    let app = reader.close();
    let (_, relying) = provider(&app)?;
    // Seen here and not when the browser comes back: what the provider sends it to shows no
    // `SameSite=Strict` cookie.
    let replaces = cookie::named(&headers, cookie::SESSION).find_map(SessionSecret::parse);
    let replaces = replaces.map(|session| session.sha256());
    let login = Login::new(rand::random(), now, wish.organization, replaces, return_to);
    let address = relying.address(&login).await.map_err(refused)?;
    let location = HeaderValue::try_from(address.as_str());
    let location = location.map_err(|_| Problem::new(Code::Internal))?;
    let headers = [
        (header::LOCATION, location),
        (header::SET_COOKIE, cookie::login(&login.cookie())),
    ];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}
