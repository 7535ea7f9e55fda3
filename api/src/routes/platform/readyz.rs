//! `GET /readyz`

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::OPEN;
use crate::app::App;
use crate::dependency;
use crate::endpoint::Endpoint;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), OPEN)
}

/// Whether requests can be served, and which servers answer.
#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    /// Postgres answers and policies are loaded: requests are served.
    ready: bool,
    /// Some other server does not answer: what requests set in motion waits for it.
    degraded: bool,
    /// `ok`, or what is wrong, by name: `kms`, `nats`, `policies`, `postgres`, `redis`, `temporal`.
    dependencies: BTreeMap<&'static str, String>,
}

/// Whether requests can be served, and which servers answer
///
/// Only Postgres is needed to serve, and policies read from it. While another server is away requests are accepted all the
/// same, and what they set in motion follows when it is back: such a process stays ready, so that
/// one lost server does not take the whole API away.
#[utoipa::path(get, path = "/readyz", responses(
    (status = 200, description = "Requests are served", body = Readiness),
    (status = 503, description = "Postgres does not answer, or policies are not loaded", body = Readiness)))]
async fn handler(State(app): State<App>) -> (StatusCode, Json<Readiness>) {
    let answers = dependency::check(&app).await;
    let ready = answers
        .iter()
        .filter(|(name, _)| ["policies", "postgres"].contains(name))
        .all(|(_, answer)| answer.is_ok());
    let degraded = answers.iter().any(|(_, answer)| answer.is_err());
    let dependencies = answers
        .into_iter()
        .map(|(name, answer)| (name, answer.err().unwrap_or_else(|| "ok".to_owned())))
        .collect();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Readiness {
            ready,
            degraded,
            dependencies,
        }),
    )
}
