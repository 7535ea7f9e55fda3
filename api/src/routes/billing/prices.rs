//! `GET /prices`

use db::billing::price::{Filter, Price};
use domain::id::{PriceId, UserId};
use domain::money::{Currency, Money};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::MoneySchema;
use crate::app::App;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::instant;
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Query;
use crate::resource::{Recall, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// What one GPU of an SKU costs for an hour.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Price)]
pub(crate) struct PriceView {
    #[schema(value_type = String)]
    id: PriceId,
    #[schema(example = "h100-80gb")]
    sku: String,
    region: String,
    #[schema(value_type = MoneySchema)]
    per_gpu_hour: Money,
    #[serde(with = "time::serde::rfc3339")]
    effective_from: OffsetDateTime,
    /// The instant at which another takes over; null: none is known.
    #[serde(with = "time::serde::rfc3339::option")]
    effective_to: Option<OffsetDateTime>,
    /// Why it was set.
    reason: String,
    /// Who set it; null: it came with the installation.
    #[schema(value_type = Option<String>, required)]
    created_by: Option<UserId>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(skip)]
    version: i64,
}

impl From<Price> for PriceView {
    fn from(price: Price) -> Self {
        Self {
            id: price.id,
            sku: price.sku,
            region: price.region,
            per_gpu_hour: Money {
                amount_micros: price.amount_micros_per_hour,
                currency: price.currency,
            },
            effective_from: price.effective_from,
            effective_to: price.effective_to,
            reason: price.reason,
            created_by: price.created_by,
            created_at: price.created_at,
            version: price.version,
        }
    }
}

impl Resource for PriceView {
    const KIND: &'static str = "price";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        "/api/v1/prices".to_owned()
    }
}

impl Recall for PriceView {
    async fn recall(_: &App, conn: &mut db::PgConnection, id: &str) -> db::Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(db::billing::price::get(conn, id).await?.map(Self::from))
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those of this SKU.
    sku: Option<String>,
    /// Only those in this currency (ISO 4217).
    #[param(value_type = Option<String>)]
    currency: Option<Currency>,
    /// Only those that hold at this instant.
    #[serde(default, deserialize_with = "instant::optional")]
    at: Option<OffsetDateTime>,
}

/// List prices: past ones, those that hold, and those that are announced
#[utoipa::path(get, path = "/api/v1/prices", params(Which, Paging),
    responses((status = 200, description = "One page", body = Page<PriceView>)))]
async fn handler(
    mut reader: Reader,
    Query(which): Query<Which>,
    paging: Paging,
) -> Result<Page<PriceView>, Problem> {
    let filter = Filter {
        id: None,
        sku: which.sku.as_deref(),
        currency: which.currency,
        at: which.at,
    };
    let after = paging.after::<PriceView, PriceId>()?;
    let rows = db::billing::price::list(reader.conn(), filter, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(PriceView::from).collect()))
}
