//! `GET /admin/data-growth`

use db::data_growth::Sample;
use domain::data_growth::{Guarded, Triggers, Verdict};
use domain::policy::{Policy, Scope};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::call::{Call, Reader};
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// How the tables that only grow stand.
#[derive(Debug, Serialize, ToSchema)]
struct DataGrowth {
    items: Vec<TableView>,
}

/// A table that only grows.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GuardedTable)]
struct TableView {
    #[schema(value_type = String, example = "usage_records")]
    table: Guarded,
    /// As the server's statistics estimate.
    rows: i64,
    /// Policy `data_growth.rows_trigger`.
    rows_trigger: i64,
    /// With indexes.
    bytes: i64,
    /// Policy `data_growth.bytes_trigger`.
    bytes_trigger: i64,
    /// As the samples of the last week tell, or on average since the oldest row.
    rows_per_day: i64,
    /// When it reaches `rows_trigger` at that rate; null: it does not grow, or is beyond it.
    #[schema(required)]
    days_to_trigger: Option<i64>,
    /// Null: there is no row.
    #[serde(with = "time::serde::rfc3339::option")]
    oldest_at: Option<OffsetDateTime>,
    /// Since it was vacuumed last, or since the server started.
    vacuum_lag_seconds: i64,
    /// Transactions since its oldest row that is not frozen.
    frozen_transactions_ago: i64,
    /// `plain`, `bound` (its conversion has begun) or `converted`: its partitions together may be as
    /// large as they like.
    form: &'static str,
    /// `well`, `near` (half of a trigger), `crossed` or `neglected` (by vacuum).
    #[schema(value_type = String)]
    verdict: Verdict,
}

impl TableView {
    fn new(sample: Sample, triggers: &Triggers) -> Self {
        let size = sample.size;
        let left = triggers.rows - size.rows;
        Self {
            table: sample.table,
            rows: size.rows,
            rows_trigger: triggers.rows,
            bytes: size.bytes,
            bytes_trigger: triggers.bytes,
            rows_per_day: sample.rows_per_day,
            days_to_trigger: (left > 0 && sample.rows_per_day > 0)
                .then(|| left / sample.rows_per_day),
            oldest_at: sample.oldest_at,
            vacuum_lag_seconds: size.vacuum_lag_seconds,
            frozen_transactions_ago: size.frozen_transactions_ago,
            form: sample.form.as_str(),
            verdict: size.verdict(triggers),
        }
    }
}

/// See how the tables that only grow stand
#[utoipa::path(get, path = "/api/v1/admin/data-growth",
    responses((status = 200, description = "By name", body = DataGrowth)))]
async fn handler(call: Call, mut reader: Reader) -> Result<axum::Json<DataGrowth>, Problem> {
    let policy = call.policy()?;
    let value = |of: &'static Policy| policy.value(of, Scope::Platform);
    let triggers = Triggers::from_values(Triggers::POLICIES.map(value));
    let samples = db::data_growth::sample(reader.conn()).await?;
    let items = samples.into_iter();
    Ok(axum::Json(DataGrowth {
        items: items.map(|one| TableView::new(one, &triggers)).collect(),
    }))
}
