//! `GET /openapi.json`

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa_axum::routes;

use super::OPEN;
use crate::app::App;
use crate::endpoint::Endpoint;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), OPEN)
}

/// This document
#[utoipa::path(get, path = "/openapi.json",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
async fn handler(State(app): State<App>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        app.openapi.clone(),
    )
}
