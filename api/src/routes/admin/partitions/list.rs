//! `GET /admin/partitions`

use db::partition::Partition;
use domain::data_growth::Guarded;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Query;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Of this table; missing: of all.
    #[param(value_type = Option<String>)]
    table: Option<Guarded>,
}

/// The parts of the tables that were converted.
#[derive(Debug, Serialize, ToSchema)]
struct Partitions {
    items: Vec<PartitionView>,
}

/// A part of a table.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Partition)]
struct PartitionView {
    #[schema(value_type = String, example = "usage_records")]
    table: Guarded,
    #[schema(example = "usage_records_p20270101")]
    name: String,
    /// Start of the time whose rows it holds; null: it holds all that is older.
    #[serde(with = "time::serde::rfc3339::option")]
    since: Option<OffsetDateTime>,
    /// Its end.
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    /// As the server's statistics estimate.
    rows: i64,
    /// With indexes.
    bytes: i64,
}

impl From<Partition> for PartitionView {
    fn from(partition: Partition) -> Self {
        Self {
            table: partition.table,
            name: partition.name,
            since: partition.since,
            until: partition.until,
            rows: partition.rows,
            bytes: partition.bytes,
        }
    }
}

/// List partitions, by table and the oldest first
#[utoipa::path(get, path = "/api/v1/admin/partitions", params(Which),
    responses((status = 200, description = "All of them; a table that is not converted has none", body = Partitions)))]
async fn handler(
    mut reader: Reader,
    Query(which): Query<Which>,
) -> Result<axum::Json<Partitions>, Problem> {
    let partitions = db::partition::list(reader.conn(), which.table).await?;
    Ok(axum::Json(Partitions {
        items: partitions.into_iter().map(PartitionView::from).collect(),
    }))
}
