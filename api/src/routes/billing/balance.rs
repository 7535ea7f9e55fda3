//! `GET /balance`

use domain::money::Money;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{MoneySchema, same};
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// What an organization has at this instant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Balance)]
struct BalanceView {
    /// What the ledger says: negative, if it owes.
    #[schema(value_type = MoneySchema)]
    ledger: Money,
    /// What it used and was not billed for, at the prices of the time.
    #[schema(value_type = MoneySchema)]
    unbilled: Money,
    /// The one less the other.
    #[schema(value_type = MoneySchema)]
    available: Money,
    /// What runs at this instant costs that much in an hour.
    #[schema(value_type = MoneySchema)]
    burn_per_hour: Money,
}

/// See what your organization has
#[utoipa::path(get, path = "/api/v1/balance",
    responses((status = 200, description = "As of now", body = BalanceView)))]
async fn handler(
    principal: Principal,
    mut reader: Reader,
) -> Result<axum::Json<BalanceView>, Problem> {
    let (org, conn) = (principal.org_id, reader.conn());
    let currency = db::billing::currency_of(conn, org).await?;
    let now = db::billing::balance::get(conn, org, currency).await?;
    let ledger = now.ledger;
    Ok(axum::Json(BalanceView {
        ledger,
        unbilled: same(ledger, now.unbilled_micros),
        available: same(
            ledger,
            ledger.amount_micros.saturating_sub(now.unbilled_micros),
        ),
        burn_per_hour: same(ledger, now.burn_micros_per_hour),
    }))
}
