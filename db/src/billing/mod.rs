//! Bills: accounts, runs over a period, and what they write.

pub mod account;
pub mod balance;
pub mod charge;
pub mod credit;
pub mod expiry;
pub mod funds;
pub mod guard;
pub mod invoice;
pub mod ledger;
pub mod payment;
pub mod preview;
pub mod price;
pub mod reconcile;
pub mod reverse;
pub mod run;
pub mod shard;
pub mod usage;
pub mod watch;

use domain::billing::Period;
use domain::money::Currency;
use sqlx::postgres::types::PgRange;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::{Result, parse};

pub use self::account::{Account, currency_of, set_currency};

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

fn currency(table: &'static str, row: impl std::fmt::Display, code: &str) -> Result<Currency> {
    parse(table, "currency", row, code)
}
