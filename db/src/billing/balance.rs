//! What an organization has: its ledger, less what it used and was not billed for.

use domain::id::OrgId;
use domain::money::{Currency, Money};
use sqlx::PgConnection;

use crate::error::Result;

/// How an organization stands at this instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// What the ledger says: negative, if it owes.
    pub ledger: Money,
    /// Used since, at the prices of the time.
    pub unbilled_micros: i64,
    /// What runs now costs that much in an hour.
    pub burn_micros_per_hour: i64,
}

/// What an organization has in a currency. Use without a price costs nothing here; a bill waits for
/// its price.
pub async fn get(conn: &mut PgConnection, org: OrgId, currency: Currency) -> Result<Balance> {
    let row = sqlx::query!(
        r#"with unbilled as (
             select tstzmultirange(tstzrange(null, clock_timestamp()))
                    - coalesce(range_agg(period), '{}'::tstzmultirange) as times
             from billing_claims where org_id = $1 and revision = 0
           ), used as (
             select i.quantity * microseconds(upper(cut) - lower(cut))::numeric * p.amount_micros_per_hour as cost
             from usage_intervals i
             join prices p on p.sku = i.sku and p.currency = $2 and p.effective && i.period
             cross join unbilled u
             cross join lateral unnest(u.times * tstzmultirange(i.period * p.effective)) as cut
             where i.org_id = $1
           )
           select coalesce((select balance_micros from account_balances where org_id = $1 and currency = $2), 0) as "ledger!",
                  coalesce((select half_even(sum(cost), 3600000000) from used), 0)::bigint as "unbilled!",
                  coalesce((select sum(i.quantity * p.amount_micros_per_hour) from usage_intervals i
                            join prices p on p.sku = i.sku and p.currency = $2 and p.effective @> clock_timestamp()
                            where i.org_id = $1 and upper_inf(i.period)), 0)::bigint as "burn!""#,
        org.uuid(),
        currency.code(),
    )
    .fetch_one(conn)
    .await?;
    Ok(Balance {
        ledger: Money {
            amount_micros: row.ledger,
            currency,
        },
        unbilled_micros: row.unbilled,
        burn_micros_per_hour: row.burn,
    })
}
