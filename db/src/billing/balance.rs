//! What an organization has: its ledger, less what it used and was not billed for.

use domain::balance::{RateChange, Spending};
use domain::id::{AllocationId, OrgId};
use domain::money::{Currency, HOUR_MICROSECONDS, Money};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::{Error, Result};

/// How an organization stands at this instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// By the clock of the database.
    pub now: OffsetDateTime,
    /// What the ledger says, negative if it owes; a bill of time that spending is told of, or that is
    /// to be billed anew, counts as spending and not here.
    pub ledger: Money,
    /// What it used and was not billed for, at the prices of the time, and goes on to use.
    pub spending: Spending,
    /// Used up to now, in micros.
    pub unbilled_micros: i64,
}

impl Balance {
    /// What is left, in micros.
    pub fn available_micros(&self) -> i64 {
        self.ledger
            .amount_micros
            .saturating_sub(self.unbilled_micros)
    }

    /// What runs now costs that much in an hour.
    pub fn burn_micros_per_hour(&self) -> i64 {
        self.spending.rate_at(self.now)
    }
}

/// What an organization has in a currency. Use without a price costs nothing here; a bill waits for
/// its price. Spending is told from `since` on, or from now on.
pub async fn get(
    conn: &mut PgConnection,
    org: OrgId,
    currency: Currency,
    since: Option<OffsetDateTime>,
) -> Result<Balance> {
    let row = sqlx::query!(
        r#"with clock as materialized (
             select now, least(now, coalesce($3, now)) as since from (select clock_timestamp() as now) as read
           ), claim as materialized (
             select c.period,
                    upper(c.period) > since
                    or exists (select from billing_late l where l.org_id = $1 and l.period = c.period)
                    or exists (select from usage_intervals i
                               where i.org_id = $1 and i.metered_to > upper(i.period)
                                 -- Said twice, for the index of what is to be metered.
                                 and (upper_inf(i.period) or i.metered_to is distinct from upper(i.period))
                                 and tstzrange(upper(i.period), i.metered_to) && c.period) as reopened
             from billing_claims c cross join clock where c.org_id = $1 and c.revision = 0
           ), unbilled as (
             select tstzmultirange(tstzrange(null, null))
                    - coalesce(range_agg(period) filter (where not reopened), '{}'::tstzmultirange) as times
             from claim
           ), used as materialized (
             select i.quantity * p.amount_micros_per_hour as rate, cut
             from chargeable_use i
             join prices p on p.sku = i.sku and p.currency = $2 and p.effective && i.period
             cross join unbilled u
             cross join lateral unnest(u.times * tstzmultirange(i.period * p.effective)) as cut
             where i.org_id = $1
           ), past as (
             select coalesce(sum(rate::numeric * microseconds(upper(before) - lower(before))), 0) as spent
             from used cross join clock cross join lateral (select cut * tstzrange(null, since)) as part (before)
             where not isempty(before)
           ), change as (
             select at, sum(rate)::bigint as rate from (
               select greatest(lower(cut), since) as at, rate from used cross join clock
               where upper_inf(cut) or upper(cut) > since
               union all
               select upper(cut), -rate from used cross join clock where upper(cut) > since
             ) as each group by at
           )
           select now as "now!", since as "since!",
                  (coalesce((select balance_micros from account_balances where org_id = $1 and currency = $2), 0)
                   + coalesce((select sum(total_micros) from invoices i join claim c on c.period = i.period and c.reopened
                               where i.org_id = $1 and i.currency = $2), 0))::bigint as "ledger!",
                  div(spent, 3600000000)::bigint as "spent_micros!", mod(spent, 3600000000)::bigint as "spent_rest!",
                  array(select at from change order by at) as "ats!",
                  array(select rate from change order by at) as "rates!"
           from clock cross join past"#,
        org.uuid(),
        currency.code(),
        since,
    )
    .fetch_one(conn)
    .await?;
    let changes = row.ats.into_iter().zip(row.rates);
    let changes = changes.map(|(at, micros_per_hour)| RateChange {
        at,
        micros_per_hour,
    });
    let spent = i128::from(row.spent_micros) * HOUR_MICROSECONDS + i128::from(row.spent_rest);
    let spending = Spending::new(row.since, spent, changes.collect());
    let unbilled_micros = spending.until(row.now).map_err(|_| Error::Inconsistent {
        table: "usage_intervals",
        column: "period",
        row: org.to_string(),
    })?;
    Ok(Balance {
        now: row.now,
        ledger: Money {
            amount_micros: row.ledger,
            currency,
        },
        spending,
        unbilled_micros,
    })
}

/// What an organization's allocations will cost that are let in and do not run yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// For the time that is held for.
    pub micros: i64,
    /// For an hour, with what is paused for a fault and will go on.
    pub micros_per_hour: i64,
}

/// Those allocations, but one of them, at the prices of this moment.
pub async fn held(
    conn: &mut PgConnection,
    org: OrgId,
    currency: Currency,
    hold_seconds: i64,
    but: Option<AllocationId>,
) -> Result<Held> {
    let row = sqlx::query!(
        r#"select coalesce(sum(half_even(a.gpu_count::numeric * p.amount_micros_per_hour * $3::bigint, 3600))
                    filter (where a.state <> 'degraded'), 0)::bigint as "micros!",
                  coalesce(sum(a.gpu_count * p.amount_micros_per_hour), 0)::bigint as "micros_per_hour!"
           from allocations a
           join prices p on p.sku = a.sku and p.currency = $2 and p.effective @> clock_timestamp()
           where a.org_id = $1 and a.state in ('queued', 'provisioning', 'degraded') and a.release_requested_at is null
             and a.id is distinct from $4"#,
        org.uuid(),
        currency.code(),
        hold_seconds,
        but.map(AllocationId::uuid),
    )
    .fetch_one(conn)
    .await?;
    Ok(Held {
        micros: row.micros,
        micros_per_hour: row.micros_per_hour,
    })
}
