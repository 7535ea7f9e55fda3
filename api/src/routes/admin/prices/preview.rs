//! `POST /admin/prices:preview`

use db::billing::preview::{self, Difference, Trial};
use domain::billing::Period;
use domain::id::OrgId;
use domain::money::{Money, PRICE_MAX_MICROS};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::body::Body;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::instant;
use crate::problem::{Code, Problem};
use crate::routes::billing::all_there;
use crate::routes::billing::{MoneySchema, same};

/// Accounts that are listed; the sums are over all.
const LISTED: usize = 200;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::FINANCE_READ)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PreviewPrice)]
struct Request {
    sku: String,
    /// For a GPU and an hour. Only accounts that are kept in its currency count.
    #[schema(value_type = MoneySchema)]
    per_gpu_hour: Money,
    /// Start of the time whose use it is tried on.
    #[serde(deserialize_with = "instant::required")]
    #[schema(value_type = String, format = DateTime)]
    period_start: OffsetDateTime,
    /// Its end, which has passed.
    #[serde(deserialize_with = "instant::required")]
    #[schema(value_type = String, format = DateTime)]
    period_end: OffsetDateTime,
    /// Only this organization; missing: all.
    #[schema(value_type = Option<String>)]
    organization_id: Option<OrgId>,
}

/// What a price would have meant. Nothing is charged for it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PricePreview)]
struct Preview {
    /// Accounts that used the SKU.
    account_count: usize,
    /// What their use costs at the prices of the time.
    #[schema(value_type = MoneySchema)]
    charged: Money,
    /// What it would have cost.
    #[schema(value_type = MoneySchema)]
    proposed: Money,
    /// The one less the other.
    #[schema(value_type = MoneySchema)]
    difference: Money,
    /// The accounts that it changes most, 200 at most.
    items: Vec<AccountPreview>,
}

#[derive(Debug, Serialize, ToSchema)]
struct AccountPreview {
    #[schema(value_type = String)]
    organization_id: OrgId,
    gpu_microseconds: i64,
    #[schema(value_type = MoneySchema)]
    charged: Money,
    #[schema(value_type = MoneySchema)]
    proposed: Money,
    #[schema(value_type = MoneySchema)]
    difference: Money,
}

/// See what a price would have meant for the use of a time that has passed
///
/// Each line is rounded as a bill rounds it; what an invoice comes to is not. `409 conflict` while
/// records of that time are archived.
#[utoipa::path(post, path = "/api/v1/admin/prices:preview", request_body = Request,
    responses((status = 200, description = "The difference", body = Preview)))]
async fn handler(
    mut reader: Reader,
    Body(request): Body<Request>,
) -> Result<axum::Json<Preview>, Problem> {
    let (price, conn) = (request.per_gpu_hour, reader.conn());
    if !(0..=PRICE_MAX_MICROS).contains(&price.amount_micros) {
        let detail = format!("must be between 0 and {PRICE_MAX_MICROS}");
        return Err(Problem::invalid("/per_gpu_hour/amount_micros", detail));
    }
    if !db::catalog::sku_exists(conn, &request.sku).await? {
        let why = "nothing of this name is or was sold";
        return Err(Problem::new(Code::UnknownSku).at("/sku", why));
    }
    let now = db::clock::now(conn).await?;
    let period = Period::new(request.period_start, request.period_end, now)
        .map_err(|why| Problem::invalid("/period_end", why.to_string()))?;
    all_there(conn, period.start).await?;
    let trial = Trial {
        sku: &request.sku,
        price,
        period,
        org_id: request.organization_id,
    };
    let mut all = preview::differences(conn, trial).await?;
    let sum = |of: fn(&Difference) -> i64| {
        let sum = all.iter().map(of).fold(0_i64, i64::saturating_add);
        same(price, sum)
    };
    let (charged, proposed) = (
        sum(|one| one.charged_micros),
        sum(|one| one.proposed_micros),
    );
    let account_count = all.len();
    all.sort_by_key(|one| std::cmp::Reverse(change(one).unsigned_abs()));
    all.truncate(LISTED);
    Ok(axum::Json(Preview {
        account_count,
        charged,
        proposed,
        difference: same(
            price,
            proposed.amount_micros.saturating_sub(charged.amount_micros),
        ),
        items: all
            .iter()
            .map(|one| AccountPreview::new(price, one))
            .collect(),
    }))
}

fn change(one: &Difference) -> i64 {
    one.proposed_micros.saturating_sub(one.charged_micros)
}

impl AccountPreview {
    fn new(price: Money, one: &Difference) -> Self {
        Self {
            organization_id: one.org_id,
            gpu_microseconds: one.gpu_microseconds,
            charged: same(price, one.charged_micros),
            proposed: same(price, one.proposed_micros),
            difference: same(price, change(one)),
        }
    }
}
