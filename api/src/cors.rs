//! Which pages of other origins may read answers: Temporal's UI those of the codec, and nobody
//! anything else.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use url::Url;

use crate::problem::{Code, Problem};

/// Where that one page may ask.
const PATH: &str = "/internal/codec/";

/// The origin that may; `None`: there is no UI.
#[derive(Clone)]
pub(crate) struct Allowed(Option<HeaderValue>);

/// The origin of an address, as browsers write it.
pub(crate) fn origin(address: &str) -> Option<HeaderValue> {
    let origin = Url::parse(address).ok()?.origin();
    HeaderValue::try_from(origin.ascii_serialization()).ok()
}

/// Whether that one page of another origin may ask there.
pub(crate) fn is_open_to_guest(path: &str) -> bool {
    path.starts_with(PATH)
}

impl Allowed {
    pub(crate) fn new(ui: Option<&str>) -> Self {
        Self(ui.and_then(origin))
    }

    fn origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let given = headers.get(header::ORIGIN)?;
        self.0.clone().filter(|allowed| allowed == given)
    }
}

pub(crate) async fn handle(
    State(allowed): State<Allowed>,
    request: Request,
    next: Next,
) -> Response {
    if !is_open_to_guest(request.uri().path()) {
        return next.run(request).await;
    }
    let origin = allowed.origin(request.headers());
    let asks_first = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut answer = match (asks_first, &origin) {
        (true, Some(_)) => StatusCode::NO_CONTENT.into_response(),
        (true, None) => Problem::new(Code::Forbidden).into_response(),
        (false, _) => next.run(request).await,
    };
    let headers = answer.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "authorization, content-type, x-namespace",
            ),
            // With the operator's session.
            (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_origin_and_no_other() {
        let allowed = Allowed::new(Some("http://127.0.0.1:8233/some/path"));
        let asks = |origin: &'static str| {
            let headers = [(header::ORIGIN, HeaderValue::from_static(origin))];
            allowed.origin(&HeaderMap::from_iter(headers)).is_some()
        };
        assert!(asks("http://127.0.0.1:8233"));
        for other in [
            "http://127.0.0.1:8234",
            "https://127.0.0.1:8233",
            "null",
            "http://evil",
        ] {
            assert!(!asks(other), "{other}");
        }
        assert!(Allowed::new(None).origin(&HeaderMap::new()).is_none());
    }
}
