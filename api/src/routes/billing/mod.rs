//! What things cost, what an organization used and has, and what it was charged.

mod balance;
mod invoices;
mod ledger_entries;
mod prices;
pub(crate) mod receive;
mod usage;

use contract::workflow_id;
use db::PgConnection;
use domain::id::OrgId;
use domain::money::{Currency, Money};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use self::balance::AccountView;
pub(crate) use self::invoices::InvoiceView;
pub(crate) use self::invoices::lines::LineView;
pub(crate) use self::ledger_entries::{EntryView, WhichEntries};
pub(crate) use self::prices::PriceView;
use crate::endpoint::Endpoint;

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
