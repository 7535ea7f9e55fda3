//! The cookies of a login and of a session. Both are `__Host-`: set by this very host, over TLS or
//! on a loopback address, for every path (RFC 6265bis, section 4.1.3.2); no script reads them.

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite};
use time::Duration;

/// What a session is kept in.
pub(crate) const SESSION: &str = "__Host-berth_session";
/// What a login under way is kept in.
pub(crate) const LOGIN: &str = "__Host-berth_login";

/// Every value that came under that name.
pub(crate) fn named<'h>(
    headers: &'h HeaderMap,
    name: &'static str,
) -> impl Iterator<Item = &'h str> {
    let texts = headers.get_all(header::COOKIE).iter();
    texts
        .filter_map(|text| text.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .filter(move |(found, _)| found.trim() == name)
        .map(|(_, value)| value.trim())
}

/// A session's, sent only with requests from our own pages; gone when the browser ends.
pub(crate) fn session(secret: &str) -> HeaderValue {
    set(Cookie::build((SESSION, secret)).same_site(SameSite::Strict))
}

/// A login's: it must come back with the browser that the provider sends back.
pub(crate) fn login(text: &str) -> HeaderValue {
    let lifetime = Duration::seconds(domain::browser_session::LOGIN_LIFETIME_SECONDS);
    set(Cookie::build((LOGIN, text))
        .same_site(SameSite::Lax)
        .max_age(lifetime))
}

/// Forgets one.
pub(crate) fn forget(name: &'static str) -> HeaderValue {
    set(Cookie::build((name, "")).max_age(Duration::ZERO))
}

fn set(cookie: cookie::CookieBuilder<'_>) -> HeaderValue {
    let text = cookie.path("/").secure(true).http_only(true).to_string();
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
