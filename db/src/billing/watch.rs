//! What of billing calls for people.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use crate::error::Result;
use crate::id;

/// How far back entries are added up again; a transaction is looked at for so long.
const LOOK_BACK: Duration = Duration::hours(1);

/// How billing stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watch {
    /// Accounts that no run could bill yet.
    pub accounts_parked: i64,
    /// Accounts that were billed before all of their use was known, and not again since.
    pub accounts_late: i64,
    /// Runs of the last day that failed.
    pub runs_failed: i64,
    /// How long ago the oldest use began that is not recorded.
    pub metering_lag_seconds: f64,
    /// Credits that expired a while ago and could not be settled.
    pub credits_unsettled: i64,
    /// What the entries of the last hour lack to zero, of all currencies together.
    pub imbalance_micros: i64,
}

pub async fn watch(conn: &mut PgConnection, now: OffsetDateTime) -> Result<Watch> {
    let row = sqlx::query!(
        r#"select (select count(*) from billing_parked) as "parked!",
                  (select count(*) from billing_late) as "late!",
                  (select count(*) from operations where kind = 'billing_run.create' and state = 'failed'
                     and id >= $2) as "failed!",
                  (select count(*) from credits c where c.expires_at < clock_timestamp() - interval '10 minutes'
                     and not exists (select from credit_expiries e where e.credit_id = c.id)) as "unsettled!",
                  (select coalesce(extract(epoch from clock_timestamp() - min(coalesce(metered_to, lower(period)))), 0)
                   from usage_intervals
                   where upper_inf(period) or metered_to is distinct from upper(period))::double precision as "lag!",
                  (select coalesce(sum(abs(sum)), 0)
                   from (select sum(amount_micros) from ledger_entries where transaction_id >= $1
                         group by transaction_id, currency) as sums)::bigint as "imbalance!""#,
        id::first_at(now - LOOK_BACK),
        id::first_at(now - Duration::DAY),
    )
    .fetch_one(conn)
    .await?;
    Ok(Watch {
        accounts_parked: row.parked,
        accounts_late: row.late,
        runs_failed: row.failed,
        credits_unsettled: row.unsettled,
        metering_lag_seconds: row.lag,
        imbalance_micros: row.imbalance,
    })
}
