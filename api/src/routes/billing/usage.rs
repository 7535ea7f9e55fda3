//! `GET /usage`

use db::billing::usage::{Used, Window};
use domain::billing::Bucket;
use domain::id::ProjectId;
use domain::money::{Currency, Money};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::MoneySchema;
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::instant;
use crate::problem::{Code, Problem};
use crate::query::Query;

/// Stretches of one chart at most.
const STRETCHES_MAX: i64 = 1_000;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// From here on (RFC 3339).
    #[serde(deserialize_with = "instant::required")]
    start: OffsetDateTime,
    /// Until just before this instant; what lies ahead is empty.
    #[serde(deserialize_with = "instant::required")]
    end: OffsetDateTime,
    /// How long a stretch is, `hour` or `day`; they begin in UTC.
    #[param(value_type = String)]
    bucket: Bucket,
    /// Only this project.
    #[param(value_type = Option<String>)]
    project_id: Option<ProjectId>,
}

/// What was used, ready to be drawn.
#[derive(Debug, Serialize, ToSchema)]
struct UsageChart {
    items: Vec<UsagePoint>,
}

/// What one project used of one SKU in one stretch.
#[derive(Debug, Serialize, ToSchema)]
struct UsagePoint {
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    #[schema(value_type = String)]
    project_id: ProjectId,
    sku: String,
    /// What is counted, such as `gpu_seconds`.
    meter: String,
    /// Whole seconds of GPUs; two GPUs for a second are two.
    gpu_seconds: i64,
    /// At the prices of the time; null: there was none for some of it. Rounded for each point: the
    /// invoice rounds once for the whole period.
    #[schema(value_type = Option<MoneySchema>, required)]
    amount: Option<Money>,
}

impl UsagePoint {
    fn new(used: Used, currency: Currency) -> Self {
        Self {
            started_at: used.started_at,
            project_id: used.project_id,
            sku: used.sku,
            meter: used.meter,
            gpu_seconds: used.gpu_microseconds / 1_000_000,
            amount: used.amount_micros.map(|amount_micros| Money {
                amount_micros,
                currency,
            }),
        }
    }
}

impl Which {
    fn window(&self) -> Result<Window, Problem> {
        let invalid = |detail: String| Problem::new(Code::InvalidQuery).detail(detail);
        if self.start >= self.end {
            return Err(invalid("end must be after start".to_owned()));
        }
        let stretches =
            (self.end - self.start).whole_seconds() / self.bucket.length().whole_seconds();
        if stretches >= STRETCHES_MAX {
            let detail = format!("start and end may be {STRETCHES_MAX} buckets apart at most");
            return Err(invalid(detail));
        }
        Ok(Window {
            start: self.start,
            end: self.end,
            bucket: self.bucket,
            project: self.project_id,
        })
    }
}

/// See what your organization used, by hour or day
///
/// What runs counts up to now. Stretches without use are left out.
#[utoipa::path(get, path = "/api/v1/usage", params(Which),
    responses((status = 200, description = "In the order of time, project and SKU", body = UsageChart)))]
async fn handler(
    principal: Principal,
    mut reader: Reader,
    Query(which): Query<Which>,
) -> Result<axum::Json<UsageChart>, Problem> {
    let (org, window, conn) = (principal.org_id, which.window()?, reader.conn());
    let currency = db::billing::currency_of(conn, org).await?;
    let used = db::billing::usage::chart(conn, org, currency, window).await?;
    let points = used.into_iter();
    Ok(axum::Json(UsageChart {
        items: points
            .map(|point| UsagePoint::new(point, currency))
            .collect(),
    }))
}
