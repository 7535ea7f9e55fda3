//! Use, recorded a window at a time.

use std::sync::Arc;

use contract::billing::{Expire, Meter, Metered};
use db::PgPool;
use domain::balance::Terms;
use domain::id::OrgId;
use domain::policy::{self, Scope};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use time::OffsetDateTime;

use crate::allocation::count;
use crate::balance;
use crate::machine::beat;
use crate::refusal::Refusal;

/// The step, on a pool of the role `berth_worker`.
#[derive(Debug)]
pub struct Meters {
    pub pool: PgPool,
}

#[activities]
impl Meters {
    #[activity(definition = Meter)]
    pub async fn meter(
        self: Arc<Self>,
        ctx: ActivityContext,
        (): (),
    ) -> Result<Metered, ActivityError> {
        Ok(beat(&ctx, async { Ok(meter(&self.pool).await?) }).await?)
    }

    #[activity(definition = Expire)]
    pub async fn expire(
        self: Arc<Self>,
        ctx: ActivityContext,
        (): (),
    ) -> Result<u32, ActivityError> {
        Ok(beat(&ctx, async { Ok(expire(&self.pool).await?) }).await?)
    }
}

/// Organizations of one look; the next one is not far.
const EXPIRING: i64 = 1_000;

/// One that cannot be settled keeps no other from it.
async fn expire(pool: &PgPool) -> Result<u32, Refusal> {
    let due = db::billing::expiry::due(&mut *pool.acquire().await?, EXPIRING).await?;
    let mut expired = 0;
    for org in due {
        match settle(pool, org).await {
            Ok(some) => expired += some,
            Err(why) => {
                tracing::error!(%org, ?why, "credits that have expired are not settled");
            }
        }
    }
    Ok(count(expired.try_into().unwrap_or(i64::MAX)))
}

async fn settle(pool: &PgPool, org: OrgId) -> Result<usize, Refusal> {
    let mut tx = pool.begin().await?;
    db::billing::guard::be_brief(&mut tx).await?;
    let account = db::billing::account::hold(&mut tx, org, Terms::Invoiced).await?;
    let settled = balance::settle_credits(&mut tx, org, account.currency).await?;
    balance::wake(&mut tx, org).await?;
    tx.commit().await?;
    Ok(settled)
}

async fn meter(pool: &PgPool) -> Result<Metered, Refusal> {
    let mut tx = pool.begin().await?;
    let now = db::clock::now(&mut tx).await?;
    let window = db::policy::resolve(&mut tx, &policy::METERING_WINDOW, Scope::Platform).await?;
    let metered = record(&mut tx, last_end(now, window)).await?;
    tx.commit().await?;
    Ok(metered)
}

/// Records all that was used before an instant.
pub(crate) async fn record(
    conn: &mut db::PgConnection,
    until: OffsetDateTime,
) -> Result<Metered, Refusal> {
    let metered = db::billing::usage::meter(conn, until).await?;
    metrics::counter!("usage_records_total").increment(metered.records.try_into().unwrap_or(0));
    Ok(Metered {
        records: metered.records,
        corrections: metered.corrections,
    })
}

/// The end of the last window that is over. Windows begin at full multiples of their length.
fn last_end(now: OffsetDateTime, window_seconds: i64) -> OffsetDateTime {
    let seconds = now.unix_timestamp();
    let end = seconds - seconds.rem_euclid(window_seconds.max(1));
    OffsetDateTime::from_unix_timestamp(end).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn windows_begin_at_full_multiples() {
        let now = datetime!(2026-06-01 12:34:56.7 UTC);
        assert_eq!(last_end(now, 60), datetime!(2026-06-01 12:34 UTC));
        assert_eq!(last_end(now, 3_600), datetime!(2026-06-01 12:00 UTC));
        let full = datetime!(2026-06-01 12:00 UTC);
        assert_eq!(last_end(full, 3_600), full);
    }
}
