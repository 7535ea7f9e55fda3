//! Waiting for an operation as long as the caller wants to.

use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Failure, Result};
use super::op::follow;
use super::progress::Steps;
use super::session::Session;
use super::table::Show;
use crate::client::operation::Resource;
use crate::client::{Answer, IdempotencyKey, Operation, watch_operation};

/// Whether to wait for the end of what was started.
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Watch it to its end, and fail if it fails
    #[arg(long)]
    wait: bool,
    /// Give up watching (not the work) after this long, with exit code 124
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    timeout_seconds: Option<u64>,
}

impl WaitArgs {
    /// As if it had been asked for.
    pub(crate) fn force(&mut self) {
        self.wait = true;
    }
}

/// What makes a repetition the same creation.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// Repeats under the same key do it once [default: a new random key]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<IdempotencyKey>,
}

impl KeyArgs {
    pub(crate) fn key(self) -> IdempotencyKey {
        self.idempotency_key.unwrap_or_else(IdempotencyKey::random)
    }
}

/// Watches an operation until it is over, the time is up or somebody presses Ctrl-C; `follow` is
/// the command that goes on.
pub(crate) async fn watch(
    session: &mut Session<'_>,
    id: &str,
    limit: Option<Duration>,
    follow: String,
) -> Result<(Answer, Operation)> {
    let operation = id.to_owned();
    let mut steps = Steps::on(session.console);
    tokio::select! {
        end = watch_operation(&session.client, id, &mut steps) => Ok(end?),
        limit = expiry(limit) => Err(Failure::TimedOut { operation, limit, follow }),
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted { follow }),
    }
}

async fn expiry(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => {
            tokio::time::sleep(limit).await;
            limit
        }
        None => std::future::pending().await,
    }
}

/// Ends a verb whose answer was an operation: shows that operation, or waits and shows what became
/// of its resource.
pub(crate) async fn conclude<T: Show>(
    session: &mut Session<'_>,
    accepted: &Answer,
    wait: &WaitArgs,
) -> Result {
    if !wait.wait {
        return session.show::<Operation>(accepted);
    }
    let operation: Operation = accepted.json()?;
    let limit = wait.timeout_seconds.map(Duration::from_secs);
    let follow = follow(&operation);
    let (answer, operation) = watch(session, &operation.id, limit, follow).await?;
    match operation.resource.as_ref().and_then(Resource::path) {
        Some(path) => session.get::<T>(path).await?,
        None => session.show::<Operation>(&answer)?,
    };
    Ok(verdict(session, &operation))
}

/// Says why an operation did not succeed.
pub(crate) fn verdict(session: &mut Session<'_>, operation: &Operation) -> Exit {
    if operation.has_succeeded() {
        return Exit::Ok;
    }
    let why = operation.why().map(|why| format!(": {why}"));
    let (id, state) = (&operation.id, &operation.state);
    session
        .console
        .talk(&format!("berth: {id} {state}{}", why.unwrap_or_default()));
    Exit::Failed
}
