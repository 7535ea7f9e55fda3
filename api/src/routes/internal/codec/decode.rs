//! `POST /internal/codec/decode`

use axum::http::HeaderMap;
use utoipa_axum::routes;

use super::{Payloads, answer, guard, unseal};
use crate::authorization::action;
use crate::body::Body;
use crate::endpoint::Endpoint;
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), guard(&action::PAYLOAD_DECODE))
}

/// Open payloads of workflows
///
/// Temporal's protocol for remote codecs, for its UI and command line.
#[utoipa::path(post, path = "/internal/codec/decode", request_body = Payloads,
    responses((status = 200, description = "The payloads", body = Payloads)))]
async fn handler(
    mutation: Mutation,
    headers: HeaderMap,
    Body(request): Body<Payloads>,
) -> Result<Committed<Payloads>, Problem> {
    answer(mutation, &headers, request, unseal).await
}
