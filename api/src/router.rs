//! Builds the router from the registry: no handler is reachable but through its guards.
//!
//! Paths such as `/allocations/{id}:extend` end in a verb that the router, which takes whole
//! segments, cannot match. Requests are rewritten before routing: `x:verb` becomes `x/~verb`,
//! which is what such endpoints are registered under.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::middleware;

use crate::app::App;
use crate::cors;
use crate::edge;
use crate::endpoint::{Endpoint, VERB_MARK};
use crate::pipeline::{self, Stage};

/// Serves these endpoints, and problems for everything else. Give requests to it through
/// [`rewrite`].
pub(crate) fn build(app: &App, endpoints: impl IntoIterator<Item = Endpoint>) -> Router {
    let routes = endpoints
        .into_iter()
        .fold(Router::new(), |router, endpoint| {
            let (path, handler) = (endpoint.routed_path(), endpoint.handler.clone());
            let stage = Stage {
                app: app.clone(),
                endpoint: Arc::new(endpoint),
            };
            router.route(
                &path,
                handler.route_layer(middleware::from_fn_with_state(stage, pipeline::run)),
            )
        });
    routes
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(middleware::from_fn_with_state(
            cors::Allowed::new(app.settings.temporal_ui_url.as_deref()),
            cors::handle,
        ))
        .layer(middleware::from_fn_with_state(
            edge::Room::new(),
            edge::handle,
        ))
        .with_state(app.clone())
}

/// Moves a final `:verb` into a segment of its own.
pub(crate) fn rewrite<B>(mut request: Request<B>) -> Request<B> {
    if let Some(uri) = split_verb(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn split_verb(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let inner = if path.contains(&format!("/{VERB_MARK}")) {
        // Nobody outside may use the inner spelling.
        UNKNOWN.to_owned()
    } else {
        let (noun, verb) = path.rsplit_once(':')?;
        if verb.contains('/') || noun.ends_with('/') {
            return None;
        }
        format!("{noun}/{VERB_MARK}{verb}")
    };
    match uri.query() {
        Some(query) => format!("{inner}?{query}").parse().ok(),
        None => inner.parse().ok(),
    }
}

/// A path that nothing is registered under.
const UNKNOWN: &str = "/-";

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> String {
        let uri: Uri = text.parse().expect("a URI");
        split_verb(&uri).unwrap_or(uri).to_string()
    }

    #[test]
    fn verbs_become_segments() {
        assert_eq!(path("/a/x:extend"), "/a/x/~extend");
        assert_eq!(path("/a:plan?b=c:d"), "/a/~plan?b=c:d");
        assert_eq!(path("/a/x"), "/a/x");
        assert_eq!(path("/a:b/x"), "/a:b/x");
        assert_eq!(path("/a/x/~extend"), UNKNOWN);
    }
}
