//! The cookies of a login and of a session. Both are `__Host-`: set by this very host, over TLS or
//! on a loopback address, for every path (RFC 6265bis, section 4.1.3.2); no script reads them.

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite};
use time::Duration;

/// What a session is kept in.
pub(crate) const SESSION: &str = "__Host-berth_session";
/// What a login under way is kept in.
pub(crate) const LOGIN: &str = "__Host-berth_login";

/// Every value that came under that name. Bytes, because other cookies may hold any, and only
/// ASCII blanks are trimmed: a name with another blank in it is another name.
pub(crate) fn named<'h>(
    headers: &'h HeaderMap,
    name: &'static str,
) -> impl Iterator<Item = &'h str> {
    let texts = headers.get_all(header::COOKIE).iter();
    let pairs = texts.flat_map(|text| text.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let end = pair.iter().position(|byte| *byte == b'=')?;
        let value = pair[end + 1..].trim_ascii();
        // What is no text is none of ours, and opens nothing.
        (pair[..end].trim_ascii() == name.as_bytes())
            .then(|| std::str::from_utf8(value).unwrap_or_default())
    })
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
