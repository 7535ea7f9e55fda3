//! `GET /balance`

use domain::balance::{BalanceState, Terms};
use domain::money::Money;
use domain::policy::{self, Scope};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::authentication::Principal;
use crate::call::{Call, Reader};
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::routes::billing::{MoneySchema, same};

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
    /// Of a prepaid balance: kept for the start of what is let in and does not run yet.
    #[schema(value_type = MoneySchema)]
    held: Money,
    /// What runs at this instant costs that much in an hour.
    #[schema(value_type = MoneySchema)]
    burn_per_hour: Money,
    /// `invoiced`: paid afterwards; `prepaid`: everything is released when the balance is used up.
    #[schema(value_type = String, example = "prepaid")]
    terms: Terms,
    /// Of a prepaid balance: `healthy`, `low`, `auto_release_pending` or `depleted`.
    #[schema(value_type = String, example = "healthy")]
    state: BalanceState,
    /// When a prepaid balance ends at the rate of this instant; null: it does not.
    #[schema(required)]
    #[serde(with = "time::serde::rfc3339::option")]
    zero_at: Option<OffsetDateTime>,
    /// Nothing is let in that would make an hour cost more; null: no cap.
    #[schema(value_type = Option<MoneySchema>, required)]
    spend_cap_per_hour: Option<Money>,
}

/// See what your organization has
#[utoipa::path(get, path = "/api/v1/balance",
    responses((status = 200, description = "As of now", body = BalanceView)))]
async fn handler(
    call: Call,
    principal: Principal,
    mut reader: Reader,
) -> Result<axum::Json<BalanceView>, Problem> {
    let hold_seconds = call
        .policy()?
        .value(&policy::START_HOLD, Scope::Organization(principal.org_id));
    let (org, conn) = (principal.org_id, reader.conn());
    let account = db::billing::account::get(conn, org).await?;
    let currency = db::billing::currency_of(conn, org).await?;
    let now = db::billing::balance::get(conn, org, currency, None).await?;
    let terms = account
        .as_ref()
        .map_or(Terms::Invoiced, |known| known.terms);
    let prepaid = terms == Terms::Prepaid;
    let held = if prepaid {
        db::billing::balance::held(conn, org, currency, hold_seconds, None)
            .await?
            .micros
    } else {
        0
    };
    let ledger = now.ledger;
    let depleted_at = account.as_ref().and_then(|known| known.depleted_at);
    let idle = now.spending.is_nothing(now.now);
    let reached = now.spending.reaches(ledger.amount_micros);
    let ends = || depleted_at.or(reached.filter(|_| !idle));
    let zero_at = if prepaid { ends() } else { None };
    let cap = account
        .as_ref()
        .and_then(|known| known.spend_cap_micros_per_hour);
    Ok(axum::Json(BalanceView {
        ledger,
        unbilled: same(ledger, now.unbilled_micros),
        available: same(ledger, now.available_micros()),
        held: same(ledger, held),
        burn_per_hour: same(ledger, now.burn_micros_per_hour()),
        terms,
        state: account.map_or(BalanceState::Healthy, |known| known.state),
        zero_at,
        spend_cap_per_hour: cap.map(|cap| same(ledger, cap)),
    }))
}
