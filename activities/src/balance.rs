//! The guard of prepaid balances: what is left, who has to know, and the end of it.

mod funds;
mod look;
mod release;

use std::sync::Arc;

use contract::balance::{Look, Release, Seen};
use contract::workflow_id;
use db::{PgConnection, PgPool};
use domain::id::OrgId;
use domain::money::Currency;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

pub(crate) use self::funds::lacking;
use crate::audit;
use crate::machine::beat;
use crate::refusal::Refusal;

/// The steps, on a pool of the role `berth_worker`.
#[derive(Debug)]
pub struct Balances {
    pub pool: PgPool,
}

#[activities]
impl Balances {
    #[activity(definition = Look)]
    pub async fn look(
        self: Arc<Self>,
        ctx: ActivityContext,
        org: OrgId,
    ) -> Result<Option<Seen>, ActivityError> {
        let step = async { Ok(look::look(&self.pool, org).await?) };
        Ok(beat(&ctx, step).await?)
    }

    #[activity(definition = Release)]
    pub async fn release(
        self: Arc<Self>,
        ctx: ActivityContext,
        org: OrgId,
    ) -> Result<u32, ActivityError> {
        let step = async { Ok(release::release(&self.pool, org).await?) };
        Ok(beat(&ctx, step).await?)
    }
}

/// Takes back what is left of credits that have expired; how many there were. The account is held.
pub(crate) async fn settle_credits(
    conn: &mut PgConnection,
    org: OrgId,
    currency: Currency,
) -> Result<usize, Refusal> {
    let settled = db::billing::expiry::settle(&mut *conn, org, currency).await?;
    for credit in &settled {
        audit::credit_expired(&mut *conn, org, *credit).await?;
    }
    Ok(settled.len())
}

/// Something of an organization begins or ends to cost: its guard looks again, once this is committed.
pub(crate) async fn wake(conn: &mut PgConnection, org: OrgId) -> Result<(), Refusal> {
    let id = workflow_id::balance(org);
    db::billing::guard::wake(conn, org, (workflow_id::BALANCE_GUARD, &id)).await?;
    Ok(())
}
