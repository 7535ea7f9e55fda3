//! One leader for each outbox, for as long as its connection lives.

use std::time::{Duration, Instant};

use db::PgConnection;
use db::outbox::Backlog;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio_util::sync::CancellationToken;

/// Pause after a pass that found nothing to hand on.
const IDLE: Duration = Duration::from_millis(150);
/// Pause between two tries to become the leader.
const FOLLOW: Duration = Duration::from_secs(1);
/// Pauses while something is away: doubled from the first to the last.
const AWAY_MIN: Duration = Duration::from_millis(200);
const AWAY_MAX: Duration = Duration::from_secs(5);
/// A pass that takes longer hangs: the connection, and with it the lead, is given up.
const PASS_MAX: Duration = Duration::from_mins(1);
/// How often the backlog is measured.
const MEASURE: Duration = Duration::from_secs(1);
/// How often what takes longer is counted.
const SURVEY: Duration = Duration::from_mins(1);

/// What a pass came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Something was handed on: look again at once.
    Progress,
    /// There was nothing to do, or nothing that could be done now.
    Idle,
    /// The receiver is away.
    Away,
}

/// An outbox and where its rows go.
pub(super) trait Outbox {
    const NAME: &'static str;

    /// Hands on the oldest rows and marks them.
    async fn pass(&mut self, conn: &mut PgConnection) -> anyhow::Result<Pass>;

    async fn backlog(&self, conn: &mut PgConnection) -> db::Result<Backlog>;

    /// Counts what one process of an installation has to count.
    async fn observe(&self, _: &mut PgConnection) -> db::Result<()> {
        Ok(())
    }

    /// Counts what takes longer, and changes slowly.
    async fn survey(&self, _: &mut PgConnection) -> db::Result<()> {
        Ok(())
    }
}

/// Leads an outbox whenever nobody else does, until `shutdown`.
pub(super) async fn lead<O: Outbox>(
    postgres: &PgConnectOptions,
    mut outbox: O,
    shutdown: &CancellationToken,
) {
    let mut away = AWAY_MIN;
    while !shutdown.is_cancelled() {
        let term = async {
            let mut conn = postgres.connect().await?;
            away = AWAY_MIN;
            let served = serve(&mut conn, &mut outbox, shutdown).await;
            if served.is_ok() {
                conn.close().await?;
            }
            served
        };
        if let Err(error) = term.await {
            tracing::warn!(outbox = O::NAME, error = format!("{error:#}"), pause = ?away, "lead lost");
            pause(away, shutdown).await;
            away = (away * 2).min(AWAY_MAX);
        }
    }
}

async fn serve<O: Outbox>(
    conn: &mut PgConnection,
    outbox: &mut O,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    while !db::outbox::try_lead(conn, O::NAME).await? {
        pause(FOLLOW, shutdown).await;
        if shutdown.is_cancelled() {
            return Ok(());
        }
    }
    tracing::info!(outbox = O::NAME, "leading");
    let mut away = AWAY_MIN;
    let mut measured: Option<Instant> = None;
    let mut surveyed: Option<Instant> = None;
    while !shutdown.is_cancelled() {
        if measured.is_none_or(|at| at.elapsed() >= MEASURE) {
            measure::<O>(outbox.backlog(conn).await?);
            if let Err(error) = outbox.observe(conn).await {
                tracing::warn!(%error, "nothing is counted");
            }
            measured = Some(now());
        }
        if surveyed.is_none_or(|at| at.elapsed() >= SURVEY) {
            if let Err(error) = outbox.survey(conn).await {
                tracing::warn!(%error, "nothing is surveyed");
            }
            surveyed = Some(now());
        }
        let pass = tokio::time::timeout(PASS_MAX, outbox.pass(conn)).await??;
        match pass {
            Pass::Progress => away = AWAY_MIN,
            Pass::Idle => {
                away = AWAY_MIN;
                pause(IDLE, shutdown).await;
            }
            Pass::Away => {
                pause(away, shutdown).await;
                away = (away * 2).min(AWAY_MAX);
            }
        }
    }
    Ok(())
}

fn now() -> Instant {
    Instant::now()
}

fn measure<O: Outbox>(backlog: Backlog) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    let pending = backlog.pending as f64;
    metrics::gauge!("outbox_pending", "outbox" => O::NAME).set(pending);
    metrics::gauge!("outbox_oldest_age_seconds", "outbox" => O::NAME)
        .set(backlog.oldest_age_seconds);
}

async fn pause(duration: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(duration) => {}
        () = shutdown.cancelled() => {}
    }
}
