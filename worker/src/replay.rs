//! `berth workflow replay`: what runs, and what ended lately, on this build's code. Done before a
//! deployment, it finds the change that would stop workflows which are under way.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::TryStreamExt as _;
use platform::kms::{Keyring, Kms};
use platform::payload::Codec;
use platform::settings::{KmsSettings, Settings};
use platform::temporal::connect_with;
use serde::Serialize;
use temporalio_client::errors::WorkflowInteractionError;
use temporalio_client::{Client, WorkflowExecution, WorkflowHistory, WorkflowListOptions};
use temporalio_common::protos::temporal::api::history::v1::History;
use temporalio_sdk::workflow_replayer::WorkflowReplayer;
use time::format_description::well_known::Rfc3339;

use crate::{history, postgres};

/// Histories in memory at once.
const AT_ONCE: usize = 50;

/// A run of a workflow, and whether today's code does what it did.
#[derive(Debug, Serialize)]
pub struct Replayed {
    pub workflow_id: String,
    pub run_id: String,
    #[serde(rename = "type")]
    pub workflow_type: String,
    /// Not over: it would meet this build.
    pub is_running: bool,
    /// Length of its history.
    pub event_count: usize,
    /// Why it does not replay.
    pub failure: Option<String>,
}

/// What was looked at.
#[derive(Debug)]
pub struct Look {
    pub runs: Vec<Replayed>,
    /// There were no more than the limit.
    pub is_whole: bool,
}

/// Replays the runs that are open and those that ended within `since`, the newest first, at most
/// `limit` of them. Nothing is changed, and no step is done.
///
/// # Errors
/// Temporal, the database or the key service is away, or the time is none.
pub async fn lately(settings: &Settings, since: Duration, limit: usize) -> anyhow::Result<Look> {
    // One that is made here opens nothing.
    anyhow::ensure!(
        matches!(settings.kms, KmsSettings::Transit(_)) || settings.keyring_dir.is_dir(),
        "there is no keyring in {} (BERTH_KEYRING_DIR)",
        settings.keyring_dir.display()
    );
    let keyring = Keyring::open_or_create(&settings.keyring_dir)?;
    let kms = Arc::new(Kms::open(settings, keyring)?);
    let codec = Codec::open(kms, &settings.temporal_namespace)
        .await
        .context("get the keys of payloads")?;
    let client = connect_with(settings, "replay", &codec).await?;
    let replayer = history::replayer(codec.converter())?;
    let pool = postgres::pool(settings, "replay")?;
    let now = db::clock::now(&mut *pool.acquire().await.context("ask for the time")?).await?;
    let begin = now
        .checked_sub(since.try_into()?)
        .context("no time is so long ago")?;
    let wanted = format!(
        "CloseTime is null or CloseTime > '{}'",
        begin.format(&Rfc3339)?
    );
    // One more tells that there is more.
    let options = WorkflowListOptions::builder()
        .limit(limit.saturating_add(1))
        .build();
    let mut listed = client.list_workflows(wanted, options);
    let (mut runs, mut batch, mut count) = (Vec::new(), Vec::new(), 0);
    while let Some(run) = listed.try_next().await? {
        count += 1;
        if count > limit {
            break;
        }
        if let Some(fetched) = fetch(&client, &run).await? {
            batch.push(fetched);
        }
        if batch.len() == AT_ONCE {
            runs.extend(replay(&replayer, std::mem::take(&mut batch)).await?);
        }
    }
    runs.extend(replay(&replayer, batch).await?);
    Ok(Look {
        runs,
        is_whole: count <= limit,
    })
}

/// `None`: it is gone by now, or no code of it ran yet.
async fn fetch(
    client: &Client,
    run: &WorkflowExecution,
) -> anyhow::Result<Option<(Replayed, History)>> {
    let (workflow_id, run_id) = (run.id(), run.run_id());
    let fetched = history::of_run(client, workflow_id, Some(run_id))
        .into_events()
        .await;
    let events = match fetched {
        Ok(events) => events,
        Err(WorkflowInteractionError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("the history of {workflow_id}")),
    };
    let event_count = events.len();
    let Some(events) = history::decided(events) else {
        return Ok(None);
    };
    let replayed = Replayed {
        workflow_id: workflow_id.to_owned(),
        run_id: run_id.to_owned(),
        workflow_type: run.workflow_type().to_owned(),
        is_running: run.close_time().is_none(),
        event_count,
        failure: None,
    };
    Ok(Some((replayed, History { events })))
}

async fn replay(
    replayer: &WorkflowReplayer,
    batch: Vec<(Replayed, History)>,
) -> anyhow::Result<Vec<Replayed>> {
    let (mut runs, histories): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .map(|(run, history)| (run, WorkflowHistory::from(history)))
        .unzip();
    let results = replayer.replay_workflows(histories).await?;
    for (run, result) in runs.iter_mut().zip(results) {
        run.failure = result.replay_failure.map(|failure| failure.to_string());
    }
    Ok(runs)
}
