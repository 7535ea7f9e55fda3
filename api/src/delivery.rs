//! The API's own try to deliver an intent right after its commit. The relay delivers whatever is
//! still there, so a failure here is silent to the caller and costs only time.

use std::time::Duration;

use db::intent::Intent;
use db::scope;
use temporalio_client::Client;

use crate::app::App;
use crate::intents;

/// Longest that one try may take.
const TRY_LIMIT: Duration = Duration::from_secs(3);
/// Tries under way at once; what comes beyond them is left to the relay.
const MAX_TRIES: usize = 64;

/// Starts to deliver an intent whose transaction has committed, and returns at once.
pub(crate) fn spawn(app: &App, intent: Intent) {
    let Some(client) = app.dependencies.temporal() else {
        return;
    };
    if app.tasks.len() >= MAX_TRIES {
        return;
    }
    let work = app.clone();
    app.tasks.spawn(async move {
        match tokio::time::timeout(TRY_LIMIT, deliver(&work, &client, &intent)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::info!(intent = %intent.id, error = format!("{error:#}"), "left to the relay");
            }
            Err(_) => tracing::info!(intent = %intent.id, "no answer in time, left to the relay"),
        }
    });
}

async fn deliver(app: &App, client: &Client, intent: &Intent) -> anyhow::Result<()> {
    intents::deliver(client, intent).await?;
    let mut tx = match intent.org_id {
        Some(org) => scope::organization(&app.pool, org).await?,
        None => scope::platform(&app.pool).await?,
    };
    db::intent::mark_delivered(&mut tx, intent.id).await?;
    tx.commit().await?;
    Ok(())
}
