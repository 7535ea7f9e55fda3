//! What things cost, what an organization used and has, and what it was charged.

mod balance;
mod invoices;
mod ledger_entries;
mod prices;
pub(crate) mod receive;
mod usage;

use contract::workflow_id;
use db::PgConnection;
use domain::data_growth::Guarded;
use domain::id::OrgId;
use domain::money::{Currency, Money};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

pub(crate) use self::balance::AccountView;
pub(crate) use self::invoices::InvoiceView;
pub(crate) use self::invoices::lines::LineView;
pub(crate) use self::ledger_entries::{EntryView, WhichEntries};
pub(crate) use self::prices::PriceView;
use crate::endpoint::Endpoint;
use crate::problem::{Code, Problem};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut all = vec![
        prices::endpoint(),
        usage::endpoint(),
        ledger_entries::endpoint(),
    ];
    all.extend(balance::endpoints());
    all.extend(invoices::endpoints());
    all
}

/// How [`Money`] looks in the schema.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Money)]
pub(crate) struct MoneySchema {
    /// Millionths of the currency's unit.
    amount_micros: i64,
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
}

/// 409 where records of use from then on are in archives alone: some of them would be taken for all.
pub(crate) async fn all_there(
    conn: &mut PgConnection,
    since: OffsetDateTime,
) -> Result<(), Problem> {
    let gone = db::archive::gone_until(conn, Guarded::UsageRecords).await?;
    match gone {
        Some(until) if since < until => Err(Problem::new(Code::Conflict)
            .detail("records of use of that time are archived; an operator can bring them back")),
        _ => Ok(()),
    }
}

/// The guard of an organization's balance looks again, once this is committed.
pub(crate) async fn wake_guard(conn: &mut PgConnection, org: OrgId) -> db::Result<()> {
    let id = workflow_id::balance(org);
    db::billing::guard::wake(conn, org, (workflow_id::BALANCE_GUARD, &id)).await
}

/// The guards of all balances that a price of an SKU moves look again, once this is committed.
pub(crate) async fn wake_guards_of(
    conn: &mut PgConnection,
    sku: &str,
    currency: Currency,
) -> db::Result<()> {
    let orgs = db::billing::guard::burning(conn, sku, currency).await?;
    let ids: Vec<_> = orgs.iter().map(|org| workflow_id::balance(*org)).collect();
    db::billing::guard::wake_all(conn, &orgs, workflow_id::BALANCE_GUARD, &ids).await
}

/// Micros of the same currency as another amount.
pub(crate) fn same(amount: Money, amount_micros: i64) -> Money {
    Money {
        amount_micros,
        ..amount
    }
}
