//! `GET /api/v1/internal/stats`

use std::collections::BTreeMap;

use axum::Json;
use platform::limiter::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::call::Reader;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::limit::Tally;
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Internal,
            idempotency: Idempotency::None,
            action: None,
        },
    )
}

/// The installation in numbers.
#[derive(Debug, Serialize, ToSchema)]
struct Stats {
    allocations: Counts,
    nodes: Counts,
    gpus: Counts,
    operations: Counts,
    /// Open past their deadline.
    operations_stuck: i64,
    outbox: Outboxes,
    /// Given up, and not sent again by anybody.
    dead_letters_open: i64,
    limiter: Limiter,
}

/// How the limiter of the process that answers is doing; each process counts for itself.
#[derive(Debug, Serialize, ToSchema)]
struct Limiter {
    /// `closed`: Redis decides. `open`: it does not. `half_open`: the next request finds out.
    breaker: &'static str,
    #[serde(flatten)]
    tally: Tally,
}

/// How many there are, by state; states without any are left out.
type Counts = BTreeMap<String, i64>;

#[derive(Debug, Serialize, ToSchema)]
struct Outboxes {
    events: Outbox,
    intents: Outbox,
}

/// What waits to be delivered.
#[derive(Debug, Serialize, ToSchema)]
struct Outbox {
    pending: i64,
    oldest_age_seconds: f64,
}

impl From<db::outbox::Backlog> for Outbox {
    fn from(backlog: db::outbox::Backlog) -> Self {
        Self {
            pending: backlog.pending,
            oldest_age_seconds: backlog.oldest_age_seconds,
        }
    }
}

/// Count what there is and what waits
#[utoipa::path(get, path = "/api/v1/internal/stats",
    responses((status = 200, description = "The numbers", body = Stats)))]
async fn handler(mut reader: Reader) -> Result<Json<Stats>, Problem> {
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    for row in db::stats::by_state(reader.conn()).await? {
        counts
            .entry(row.entity)
            .or_default()
            .insert(row.state, row.count);
    }
    let mut of = |entity: &str| counts.remove(entity).unwrap_or_default();
    let attention = db::stats::attention(reader.conn()).await?;
    Ok(Json(Stats {
        allocations: of("allocations"),
        nodes: of("nodes"),
        gpus: of("gpus"),
        operations: of("operations"),
        operations_stuck: attention.operations_stuck,
        outbox: Outboxes {
            events: db::outbox::backlog(reader.conn()).await?.into(),
            intents: db::intent::backlog(reader.conn()).await?.into(),
        },
        dead_letters_open: attention.dead_letters_open,
        limiter: Limiter {
            breaker: match reader.app().limits.breaker() {
                State::Closed => "closed",
                State::Open => "open",
                State::HalfOpen => "half_open",
            },
            tally: reader.app().limits.tally(),
        },
    }))
}
