//! Comparisons of what is kept in several places.

use std::sync::Arc;

use contract::reconciliation::{Close, Compare, CompareInput, Open};
use db::PgPool;
use db::billing::reconcile;
use domain::id::ReconciliationId;
use domain::policy::{self, Scope};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use time::Duration;

use crate::machine::beat;
use crate::refusal::Refusal;

/// The steps, on a pool of the role `berth_worker`.
#[derive(Debug)]
pub struct Reconciliations {
    pub pool: PgPool,
}

#[activities]
impl Reconciliations {
    #[activity(definition = Open)]
    pub async fn open(
        self: Arc<Self>,
        ctx: ActivityContext,
        (): (),
    ) -> Result<ReconciliationId, ActivityError> {
        let run_id = ctx.info().workflow_run_id.clone().unwrap_or_default();
        Ok(open(&self.pool, &run_id).await?)
    }

    #[activity(definition = Compare)]
    pub async fn compare(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: CompareInput,
    ) -> Result<u64, ActivityError> {
        let step = async { Ok(compare(&self.pool, input).await?) };
        Ok(beat(&ctx, step).await?)
    }

    #[activity(definition = Close)]
    pub async fn close(
        self: Arc<Self>,
        _ctx: ActivityContext,
        id: ReconciliationId,
    ) -> Result<(), ActivityError> {
        Ok(close(&self.pool, id).await?)
    }
}

async fn open(pool: &PgPool, run_id: &str) -> Result<ReconciliationId, Refusal> {
    let mut conn = pool.acquire().await?;
    let back = db::policy::resolve(&mut conn, &policy::RECONCILE_BACK, Scope::Platform).await?;
    let since = db::clock::now(&mut conn).await? - Duration::seconds(back);
    Ok(reconcile::open(&mut conn, run_id, since).await?)
}

/// All of a comparison is read at one instant, and written with it.
async fn compare(pool: &PgPool, input: CompareInput) -> Result<u64, Refusal> {
    let mut tx = pool.begin().await?;
    let found = reconcile::compare(&mut tx, input.reconciliation_id, input.comparison).await?;
    tx.commit().await?;
    if found > 0 {
        let comparison = input.comparison;
        tracing::error!(%comparison, found, "what is kept in two places differs");
    }
    Ok(found)
}

async fn close(pool: &PgPool, id: ReconciliationId) -> Result<(), Refusal> {
    reconcile::close(&mut *pool.acquire().await?, id).await?;
    Ok(())
}
