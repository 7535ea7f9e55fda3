//! Rows whose workflow is gone.

use std::sync::Arc;
use std::time::Duration;

use contract::sweep::{Restart, Swept};
use contract::workflow_id;
use db::PgPool;
use db::intent::{IntentKind, NewIntent};
use db::live::Live;
use futures::StreamExt as _;
use platform::temporal::Runs;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use uuid::Uuid;

use crate::allocation::count;
use crate::audit;
use crate::refusal::Refusal;

/// What moved within this time has a workflow at work, or one that is about to look.
const QUIET_SECONDS: i32 = 10;
const PAGE: i64 = 500;
/// Questions to Temporal at once.
const CONCURRENCY: usize = 16;
/// How long one of them is waited for; less than a heartbeat may be away.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// The step, on a pool of the role `berth_worker`, with Temporal to ask.
pub struct Sweeps {
    pub pool: PgPool,
    pub runs: Runs,
}

/// A kind of row that needs a workflow.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Allocation,
    Node,
    BillingRun,
    KeyRotation,
    BalanceGuard,
    Maintenance,
}

impl Kind {
    fn workflow_type(self) -> &'static str {
        match self {
            Self::Allocation => workflow_id::ALLOCATION,
            Self::Node => workflow_id::NODE_ENROLLMENT,
            Self::BillingRun => workflow_id::BILLING_RUN,
            Self::KeyRotation => workflow_id::KEY_ROTATION,
            Self::BalanceGuard => workflow_id::BALANCE_GUARD,
            Self::Maintenance => workflow_id::PARTITION_MAINTENANCE,
        }
    }

    fn workflow_id(self, live: &Live) -> String {
        let of_its_own = match self {
            Self::Allocation => workflow_id::allocation(live.id.into()),
            Self::Node => workflow_id::node(live.id.into()),
            Self::BalanceGuard => workflow_id::balance(live.id.into()),
            // Those that a schedule started go by its name: their rows say it.
            Self::BillingRun | Self::KeyRotation | Self::Maintenance => String::new(),
        };
        live.workflow_id.clone().unwrap_or(of_its_own)
    }
}

#[activities]
impl Sweeps {
    #[activity(definition = Restart)]
    pub async fn restart(
        self: Arc<Self>,
        ctx: ActivityContext,
        (): (),
    ) -> Result<Swept, ActivityError> {
        let mut swept = Swept {
            live: 0,
            restarted: 0,
        };
        for kind in [
            Kind::Allocation,
            Kind::Node,
            Kind::BillingRun,
            Kind::KeyRotation,
            Kind::BalanceGuard,
            Kind::Maintenance,
        ] {
            let mut after = Uuid::nil();
            loop {
                let page = self.page(kind, after).await?;
                let Some(last) = page.last() else { break };
                after = last.id;
                swept.live += count(page.len().try_into().unwrap_or(i64::MAX));
                swept.restarted += self.restart_lost(&ctx, kind, page).await?;
            }
        }
        Ok(swept)
    }
}

impl Sweeps {
    async fn page(&self, kind: Kind, after: Uuid) -> Result<Vec<Live>, Refusal> {
        let mut conn = self.pool.acquire().await?;
        let name = kind.workflow_type();
        Ok(db::live::page(&mut conn, name, QUIET_SECONDS, after, PAGE).await?)
    }

    /// Whatever Temporal does not answer about is left for the next sweep.
    async fn restart_lost(
        &self,
        ctx: &ActivityContext,
        kind: Kind,
        page: Vec<Live>,
    ) -> Result<u32, ActivityError> {
        let mut asked = futures::stream::iter(page)
            .map(|live| async move {
                let lost = self.is_lost(&kind.workflow_id(&live)).await;
                (live, lost)
            })
            .buffer_unordered(CONCURRENCY);
        let mut restarted = 0;
        while let Some((live, lost)) = asked.next().await {
            ctx.record_heartbeat(()).await?;
            if lost && self.owe(kind, live).await? {
                restarted += 1;
            }
        }
        Ok(restarted)
    }

    async fn is_lost(&self, workflow_id: &str) -> bool {
        let answer = tokio::time::timeout(ANSWER_LIMIT, self.runs.is_running(workflow_id));
        match answer.await {
            Ok(Ok(runs)) => !runs,
            Ok(Err(error)) => {
                tracing::warn!(%error, "Temporal does not say whether a workflow runs");
                false
            }
            Err(_) => false,
        }
    }

    /// Writes the wake that starts it. `false`: somebody was faster, or it has ended.
    async fn owe(&self, kind: Kind, live: Live) -> Result<bool, Refusal> {
        let mut tx = self.pool.begin().await?;
        db::live::lock(&mut tx, live.id).await?;
        // Looked at again: rows end before their workflows do.
        if !db::live::is_unserved(&mut tx, kind.workflow_type(), live.id).await? {
            return Ok(false);
        }
        let workflow_id = kind.workflow_id(&live);
        let intent = NewIntent {
            kind: IntentKind::Wake,
            org_id: live.org_id,
            workflow_type: kind.workflow_type(),
            workflow_id: &workflow_id,
            resource_id: live.id,
            operation_id: None,
        };
        db::intent::append(&mut tx, &intent).await?;
        audit::restarted(&mut tx, &workflow_id, live.org_id).await?;
        tx.commit().await?;
        let kind = kind.workflow_type();
        metrics::counter!("workflows_restarted_total", "workflow_type" => kind).increment(1);
        tracing::error!(
            workflow_id,
            "a live row had no workflow: it is started anew"
        );
        Ok(true)
    }
}
