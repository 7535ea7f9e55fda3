//! `GET /metrics`

use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa_axum::routes;

use super::OPEN;
use crate::app::App;
use crate::endpoint::Endpoint;

/// The longest that a scrape waits for the database.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), OPEN)
}

/// Metrics of this process, for Prometheus
#[utoipa::path(get, path = "/metrics",
    responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain")))]
async fn handler(State(app): State<App>) -> impl IntoResponse {
    // Ages of keys are as old as the last look at them. Whoever cannot be asked is not waited for.
    let look = tokio::time::timeout(LOOK_LIMIT, app.signer.published());
    if !matches!(look.await, Ok(Ok(_))) {
        tracing::debug!("the ages of the signing keys are old");
    }
    let content_type = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (content_type, app.telemetry.render())
}
