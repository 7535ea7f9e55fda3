//! `GET /livez`

use utoipa_axum::routes;

use super::OPEN;
use crate::endpoint::Endpoint;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), OPEN)
}

/// Whether the process runs
///
/// Says nothing about the servers it leans on: restarting it would not bring them back.
#[utoipa::path(get, path = "/livez",
    responses((status = 200, description = "It runs", body = String, content_type = "text/plain")))]
async fn handler() -> &'static str {
    "ok\n"
}
