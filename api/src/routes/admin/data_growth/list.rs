//! `GET /admin/data-growth`

use db::data_growth::Sample;
use domain::data_growth::{Guarded, Measure, Triggers, Verdict};
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
    /// From when on it is converted to partitions: policy `data_growth.{table}_rows_trigger`. Each
    /// measure has one.
    rows_trigger: i64,
    /// With indexes.
    bytes: i64,
    bytes_trigger: i64,
    /// As the samples of the last week tell, or on average since the oldest row.
    rows_per_day: i64,
    /// 0: never.
    rows_per_day_trigger: i64,
    /// When it reaches `rows_trigger` at that rate; null: it does not grow, or is beyond it.
    #[schema(required)]
    days_to_trigger: Option<i64>,
    /// Null: there is no row.
    #[serde(with = "time::serde::rfc3339::option")]
    oldest_at: Option<OffsetDateTime>,
    /// The age of that row; 0: never.
    oldest_trigger_seconds: i64,
    /// Since it was vacuumed last, or since the server started.
    vacuum_lag_seconds: i64,
    vacuum_lag_trigger_seconds: i64,
    /// Transactions since its oldest row that is not frozen.
    freeze_age: i64,
    freeze_age_trigger: i64,
    /// `plain`, `bound` (its conversion has begun) or `converted`: its partitions together may be as
    /// large as they like.
    form: &'static str,
    /// `well`, `near` (half of a trigger), `crossed` or `neglected` (by vacuum).
    #[schema(value_type = String)]
    verdict: Verdict,
    /// What there is too much of: `rows`, `bytes`, `rows_per_day`, `oldest_seconds`,
    /// `vacuum_lag_seconds`, `freeze_age`.
    #[schema(value_type = Vec<String>)]
    crossed: Vec<Measure>,
}

impl TableView {
    fn new(sample: Sample, triggers: &Triggers) -> Self {
        let size = sample.size;
        let rows_trigger = triggers.of(Measure::Rows);
        let left = rows_trigger - size.rows;
        let measures = Measure::ALL.iter().copied();
        Self {
            table: sample.table,
            rows: size.rows,
            rows_trigger,
            bytes: size.bytes,
            bytes_trigger: triggers.of(Measure::Bytes),
            rows_per_day: size.rows_per_day,
            rows_per_day_trigger: triggers.of(Measure::RowsPerDay),
            days_to_trigger: (left > 0 && size.rows_per_day > 0).then(|| left / size.rows_per_day),
            oldest_at: sample.oldest_at,
            oldest_trigger_seconds: triggers.of(Measure::OldestSeconds),
            vacuum_lag_seconds: size.vacuum_lag_seconds,
            vacuum_lag_trigger_seconds: triggers.of(Measure::VacuumLagSeconds),
            freeze_age: size.freeze_age,
            freeze_age_trigger: triggers.of(Measure::FreezeAge),
            form: sample.form.as_str(),
            verdict: size.verdict(triggers),
            crossed: measures
                .filter(|one| size.has_crossed(*one, triggers))
                .collect(),
        }
    }
}

/// See how the tables that only grow stand
#[utoipa::path(get, path = "/api/v1/admin/data-growth",
    responses((status = 200, description = "By name", body = DataGrowth)))]
async fn handler(call: Call, mut reader: Reader) -> Result<axum::Json<DataGrowth>, Problem> {
    let policy = call.policy()?;
    let value = |of: &'static Policy| policy.value(of, Scope::Platform);
    let samples = db::data_growth::sample(reader.conn()).await?;
    let view = |one: Sample| {
        let policies = Triggers::policies(one.table).each_ref();
        TableView::new(one, &Triggers::from_values(policies.map(value)))
    };
    Ok(axum::Json(DataGrowth {
        items: samples.into_iter().map(view).collect(),
    }))
}
