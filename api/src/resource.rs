//! What REST resources have in common, and the answers that show them.

use std::future::Future;

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use db::PgConnection;
use serde::Serialize;

use crate::app::App;

/// Something with an address and a version.
pub trait Resource: Serialize + Send {
    /// The kind, as in idempotency records and the audit log.
    const KIND: &'static str;

    fn id(&self) -> String;

    /// Grows with every change; the entity tag is made of it.
    fn version(&self) -> i64;

    /// The path of the resource.
    fn url(&self) -> String;
}

/// A resource that a repeated request finds again.
pub trait Recall: Resource + Sized {
    /// Reads it as a GET would; `None` when it is gone.
    fn recall(
        app: &App,
        conn: &mut PgConnection,
        id: &str,
    ) -> impl Future<Output = db::Result<Option<Self>>> + Send;
}

/// The entity tag of a version.
pub fn etag(version: i64) -> String {
    format!("\"v{version}\"")
}

/// The answer to a GET of one resource.
#[derive(Debug)]
pub struct Found<R>(pub R);

impl<R: Resource> IntoResponse for Found<R> {
    fn into_response(self) -> Response {
        tagged(&self.0)
    }
}

/// The resource with its entity tag.
pub(crate) fn tagged<R: Resource>(resource: &R) -> Response {
    let mut response = Json(resource).into_response();
    if let Ok(tag) = HeaderValue::try_from(etag(resource.version())) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
