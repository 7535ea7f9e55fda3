//! `GET /operations/{id}`

use std::time::Duration;

use db::operation::Viewer;
use domain::id::OperationId;
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::{OperationView, READ, viewer};
use crate::authentication::Principal;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::problem::{Code, Problem};
use crate::query::{Path, Query};
use crate::resource::{Found, Resource};

/// The longest that an answer is held back.
const MAX_WAIT_SECONDS: u64 = 30;
/// How often the row is looked at while somebody waits: the pause is a share of the time waited so
/// far, so that the answer is late by no more than that share.
const WAITED_SHARE: u32 = 10;
const SHORTEST_PAUSE: Duration = Duration::from_millis(40);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), READ)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wait {
    /// Hold the answer back until the operation has ended, at most this long.
    #[serde(default)]
    #[param(minimum = 0, maximum = 30, default = 0)]
    wait_seconds: u64,
}

/// Get an operation, or wait for its end
///
/// With `wait_seconds` the answer comes as soon as the operation has ended, or after that time
/// with the operation as it is then.
#[utoipa::path(get, path = "/api/v1/operations/{id}", params(("id" = String, Path), Wait),
    responses((status = 200, description = "The operation", body = OperationView)))]
async fn handler(
    call: Call,
    principal: Principal,
    Path(id): Path<OperationId>,
    Query(wait): Query<Wait>,
) -> Result<Found<OperationView>, Problem> {
    if wait.wait_seconds > MAX_WAIT_SECONDS {
        return Err(Problem::new(Code::InvalidQuery).detail("wait_seconds is at most 30"));
    }
    let viewer = viewer(&principal);
    let start = Instant::now();
    let end = start + Duration::from_secs(wait.wait_seconds);
    loop {
        let operation = read(&call, viewer, id).await?;
        let late = Instant::now() >= end || call.app.shutdown.is_cancelled();
        if late || !operation.is_open() {
            return Ok(Found(OperationView::new(operation, &call.app.settings)));
        }
        // No connection is held meanwhile; a caller who goes away drops this future.
        let pause = (start.elapsed() / WAITED_SHARE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let next = (Instant::now() + pause).min(end);
        call.app
            .shutdown
            .run_until_cancelled(tokio::time::sleep_until(next))
            .await;
    }
}

async fn read(
    call: &Call,
    viewer: Viewer,
    id: OperationId,
) -> Result<db::operation::Operation, Problem> {
    let mut tx = call.transaction().await?;
    db::operation::get(&mut tx, viewer, id)
        .await?
        .ok_or_else(|| Problem::not_found(OperationView::KIND))
}
