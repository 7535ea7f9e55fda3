//! What is kept for a while, and then forgotten.

use std::sync::Arc;

use contract::retention::Forget;
use db::partition::Form;
use db::{PgConnection, PgPool};
use domain::partition::Archiving;
use domain::policy::Scope;
use domain::retention::Forgotten;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use time::OffsetDateTime;

use crate::machine::beat;
use crate::refusal::Refusal;

/// Rows that go in one transaction.
const BATCH: i64 = 1_000;

/// The step, on a pool of the role `berth_worker`.
#[derive(Debug)]
pub struct Retention {
    pub pool: PgPool,
}

#[activities]
impl Retention {
    #[activity(definition = Forget)]
    pub async fn forget(
        self: Arc<Self>,
        ctx: ActivityContext,
        what: Forgotten,
    ) -> Result<u64, ActivityError> {
        let step = async { Ok(forget(&self.pool, what).await?) };
        Ok(beat(&ctx, step).await?)
    }
}

/// The same on a pool of the role `berth_worker`.
pub async fn forget(pool: &PgPool, what: Forgotten) -> Result<u64, Refusal> {
    let mut conn = pool.acquire().await?;
    let Some(until) = end(&mut conn, what).await? else {
        return Ok(0);
    };
    let mut all = 0;
    loop {
        let some = db::retention::forget(&mut conn, what, until, BATCH).await?;
        metrics::counter!("retention_rows_total", "table" => what.as_str()).increment(some);
        all += some;
        if some < BATCH.unsigned_abs() {
            return Ok(all);
        }
    }
}

/// For how long rows have been there that have to go, in seconds; 0 where none have to.
pub async fn lag_seconds(conn: &mut PgConnection, what: Forgotten) -> db::Result<f64> {
    let Some(until) = end(conn, what).await? else {
        return Ok(0.0);
    };
    let oldest = db::retention::oldest(conn, what).await?;
    Ok(oldest.map_or(0.0, |oldest| (until - oldest).as_seconds_f64().max(0.0)))
}

/// Rows whose time ended before that have to go; `None`: none have.
async fn end(conn: &mut PgConnection, what: Forgotten) -> db::Result<Option<OffsetDateTime>> {
    if let Some(table) = what.guarded() {
        // Its partitions go whole.
        if matches!(db::partition::form(conn, table).await?, Form::Converted) {
            return Ok(None);
        }
        // They have to be archived first, which partitions are.
        if let Archiving::If(policy) = table.settings().archive
            && db::policy::resolve(conn, policy, Scope::Platform).await? == 1
        {
            return Ok(None);
        }
    }
    let kept = db::policy::resolve(conn, what.policy(), Scope::Platform).await?;
    let now = db::clock::now(conn).await?;
    Ok(what.kept(kept).map(|kept| now - kept))
}
