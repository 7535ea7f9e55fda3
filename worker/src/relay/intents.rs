//! Intents to Temporal.

use std::time::Duration;

use api::intents::{IntentError, deliver};
use db::PgConnection;
use db::intent::Intent;
use db::outbox::Backlog;
use domain::policy::{self, Scope};
use domain::reason::Code;
use domain::state::OperationState;
use futures::StreamExt;
use sqlx::Connection;
use temporalio_client::Client;

use super::leader::{Outbox, Pass};

/// So long an intent is left to the API, which delivers it right after its commit.
const GRACE: Duration = Duration::from_millis(300);
const BATCH: i64 = 100;
/// Deliveries at once.
const CONCURRENCY: usize = 8;

pub(super) struct Intents {
    pub(super) client: Client,
}

impl Outbox for Intents {
    const NAME: &'static str = "intents";

    async fn pass(&mut self, conn: &mut PgConnection) -> anyhow::Result<Pass> {
        let due = db::intent::due(conn, GRACE, BATCH).await?;
        let client = &self.client;
        let mut deliveries = futures::stream::iter(due)
            .map(|intent| async move {
                let delivered = deliver(client, &intent).await;
                (intent, delivered)
            })
            .buffered(CONCURRENCY);
        let mut pass = Pass::Idle;
        while let Some((intent, delivered)) = deliveries.next().await {
            match delivered {
                Ok(()) => db::intent::mark_delivered(conn, intent.id).await?,
                Err(IntentError::Unavailable(why)) => {
                    tracing::warn!(why, "Temporal is away");
                    return Ok(Pass::Away);
                }
                Err(IntentError::Closed) => give_up_waiting(conn, &intent).await?,
                Err(IntentError::Refused(why)) => refused(conn, intent, &why).await?,
            }
            pass = Pass::Progress;
        }
        Ok(pass)
    }

    async fn backlog(&self, conn: &mut PgConnection) -> db::Result<Backlog> {
        db::intent::backlog(conn).await
    }
}

/// The workflow has ended: the operation that waits for it waits in vain.
async fn give_up_waiting(conn: &mut PgConnection, intent: &Intent) -> anyhow::Result<()> {
    let mut tx = conn.begin().await?;
    if let Some(operation) = intent.operation_id {
        let why = Code::workflow_closed();
        db::order::finish(&mut tx, operation, OperationState::Failed, Some(&why)).await?;
    }
    db::intent::mark_delivered(&mut tx, intent.id).await?;
    tx.commit().await?;
    Ok(())
}

/// Counts a refusal; after the last one the intent becomes a dead letter.
async fn refused(conn: &mut PgConnection, mut intent: Intent, why: &str) -> anyhow::Result<()> {
    let most = db::policy::resolve(conn, &policy::RELAY_ATTEMPTS, Scope::Platform).await?;
    let longest = db::policy::resolve(conn, &policy::RELAY_BACKOFF, Scope::Platform).await?;
    intent.attempts += 1;
    let doubled = 1_u64 << intent.attempts.clamp(0, 30);
    let pause = Duration::from_secs(doubled.min(longest.unsigned_abs()));
    tracing::warn!(intent = %intent.id, attempts = intent.attempts, why, "intent refused");
    let mut tx = conn.begin().await?;
    db::intent::mark_refused(&mut tx, intent.id, why, pause).await?;
    if i64::from(intent.attempts) >= most {
        db::dead_letter::bury_intent(&mut tx, &intent, why).await?;
    }
    tx.commit().await?;
    Ok(())
}
