//! Bills: accounts, runs over a period, and what they write.

pub mod balance;
pub mod charge;
pub mod credit;
pub mod invoice;
pub mod ledger;
pub mod price;
pub mod reverse;
pub mod run;
pub mod shard;
pub mod usage;
pub mod watch;

use domain::billing::Period;
use domain::id::OrgId;
use domain::money::Currency;
use sqlx::PgConnection;
use sqlx::postgres::types::PgRange;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::{Result, parse};

/// How movements of money name a period.
fn key(period: Period) -> String {
    let text = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    format!("{}/{}", text(period.start), text(period.end))
}

fn period(range: &PgRange<OffsetDateTime>) -> Period {
    use std::ops::Bound;
    let at = |bound: Bound<OffsetDateTime>| match bound {
        Bound::Included(at) | Bound::Excluded(at) => at,
        // The schema refuses a bill without an end.
        Bound::Unbounded => OffsetDateTime::UNIX_EPOCH,
    };
    Period {
        start: at(range.start),
        end: at(range.end),
    }
}

/// Who is billed, in which currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub org_id: OrgId,
    pub currency: Currency,
}

fn currency(table: &'static str, row: impl std::fmt::Display, code: &str) -> Result<Currency> {
    parse(table, "currency", row, code)
}

/// The currency that an organization's account is kept in, or would be.
pub async fn currency_of(conn: &mut PgConnection, org: OrgId) -> Result<Currency> {
    let code = sqlx::query_scalar!(
        "select currency from billing_accounts where org_id = $1",
        org.uuid()
    )
    .fetch_optional(conn)
    .await?;
    code.map_or(Ok(Currency::DEFAULT), |code| {
        currency("billing_accounts", org, &code)
    })
}

/// The account of an organization, made where it is missing.
pub async fn account(conn: &mut PgConnection, org: OrgId) -> Result<Account> {
    sqlx::query!(
        "insert into billing_accounts (org_id) values ($1) on conflict do nothing",
        org.uuid()
    )
    .execute(&mut *conn)
    .await?;
    let code = sqlx::query_scalar!(
        "select currency from billing_accounts where org_id = $1 for update",
        org.uuid()
    )
    .fetch_one(conn)
    .await?;
    Ok(Account {
        org_id: org,
        currency: currency("billing_accounts", org, &code)?,
    })
}

/// Lets an account be kept in another currency, as long as no money has moved. `false`: it has.
pub async fn set_currency(conn: &mut PgConnection, account: Account) -> Result<bool> {
    let done = sqlx::query!(
        "update billing_accounts b set currency = $2
         where b.org_id = $1 and not exists (select from ledger_transactions t where t.org_id = b.org_id)
           and not exists (select from invoices i where i.org_id = b.org_id)",
        account.org_id.uuid(),
        account.currency.code(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
