//! Keeps the snapshot fresh: by the bus, which is fast and may lose things, and by looking every
//! few seconds, which loses nothing (POL-02, POL-03).

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::policy::{self, Scope};
use futures::StreamExt as _;

use super::PolicyClient as _;
use super::live::{Heard, Live, Notice};
use super::snapshot::{Content, Invalid, Snapshot};
use crate::app::App;

const SUBJECT: &str = "policy.invalidate";
/// Pause after a failure, and until policies are there for the first time.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Why a new version was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Source {
    Startup,
    Bus,
    Poll,
    /// This process wrote it.
    Write,
}

#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error(transparent)]
    Database(#[from] db::Error),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("reading policies was cut off")]
    CutOff,
}

/// Works until the process is asked to stop.
pub(crate) async fn run(app: App) {
    let shutdown = app.shutdown.clone();
    let work = async { tokio::join!(listen(&app), look(&app)) };
    shutdown.run_until_cancelled(Box::pin(work)).await;
}

/// After a commit that changed `key`: this process goes by it before it answers, and tells others.
pub(crate) async fn changed(app: &App, key: &str) {
    reload(app, Source::Write).await;
    let notice = Notice {
        key: key.to_owned(),
        version: app.policies.version(),
    };
    let bus = Arc::clone(&app.dependencies.bus);
    app.tasks.spawn(async move {
        let payload = serde_json::to_vec(&notice).unwrap_or_default();
        let subject = format!("{SUBJECT}.{}", notice.key);
        if let Err(error) = bus.say(&subject, payload).await {
            tracing::warn!(
                error = format!("{error:#}"),
                "others will find out by looking"
            );
        }
    });
}

/// Looks once, before anybody is let in.
pub(crate) async fn first(app: &App) {
    reload(app, Source::Startup).await;
}

async fn listen(app: &App) {
    loop {
        match app.dependencies.bus.hear(&format!("{SUBJECT}.>")).await {
            Ok(words) => {
                let mut words = std::pin::pin!(words);
                while let Some(word) = words.next().await {
                    match app.policies.hear(&word.payload) {
                        Heard::News => reload(app, Source::Bus).await,
                        Heard::Known => {}
                        Heard::Malformed => {
                            metrics::counter!("policy_invalidations_malformed_total").increment(1);
                        }
                    }
                }
            }
            Err(error) => tracing::warn!(error = format!("{error:#}"), "the bus cannot be heard"),
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

async fn look(app: &App) {
    while app.policies.current().is_none() {
        reload(app, Source::Startup).await;
        if app.policies.current().is_none() {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
    loop {
        tokio::time::sleep(pause(&app.policies)).await;
        reload(app, Source::Poll).await;
    }
}

fn pause(policies: &Live) -> Duration {
    let seconds = policies.current().map_or(policy::POLL.default, |snapshot| {
        snapshot.value(&policy::POLL, Scope::Platform)
    });
    Duration::from_secs(seconds.unsigned_abs())
}

/// Goes by what the database holds now. What cannot be read leaves the last good one in force.
async fn reload(app: &App, source: Source) {
    let name: &'static str = source.into();
    match load(app).await {
        Ok(true) => {
            let version = app.policies.version();
            #[expect(clippy::cast_precision_loss, reason = "nobody makes 2^52 changes")]
            metrics::gauge!("policy_version").set(version as f64);
            metrics::counter!("policy_cache_invalidations_total", "source" => name).increment(1);
            tracing::info!(version, source = name, "policies in force");
        }
        Ok(false) => {}
        Err(error) => {
            let reason = match &error {
                LoadError::Invalid(_) => "invalid",
                LoadError::Database(_) | LoadError::CutOff => "unavailable",
            };
            metrics::counter!("policy_load_failures_total", "reason" => reason).increment(1);
            let error = &error as &dyn std::error::Error;
            if reason == "invalid" {
                tracing::error!(error, "policies are not valid; the last good ones stay");
            } else {
                tracing::warn!(error, "policies cannot be read; the last good ones stay");
            }
        }
    }
}

/// Says whether something newer is in force since.
async fn load(app: &App) -> Result<bool, LoadError> {
    // One at a time: the second of two finds the work done.
    let _turn = app.loading.lock().await;
    let asked_at = Instant::now();
    let mut tx = db::policy::instant(&app.pool).await?;
    let version = db::policy::version(&mut tx).await?;
    if version == app.policies.version() {
        app.policies.confirm(asked_at);
        return Ok(false);
    }
    let content = Content {
        version,
        values: db::policy::all(&mut tx).await?,
        rules: db::authorization_policy::all(&mut tx).await?,
    };
    drop(tx);
    let (book, before) = (Arc::clone(app.policies.book()), app.policies.current());
    let read = move || Snapshot::read(&book, &content, before.as_deref());
    let snapshot = tokio::task::spawn_blocking(read)
        .await
        .map_err(|_| LoadError::CutOff)??;
    Ok(app.policies.offer(&Arc::new(snapshot), asked_at))
}
