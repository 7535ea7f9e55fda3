//! This process among those that serve the API: its signs of life, and the orders that all of them
//! carry out (JWT-06). Orders and what came of them are rows; a word on the bus only says that
//! there is something to read, and without it the next look finds the same.

use std::time::{Duration, Instant};

use db::jwks_refresh::Ack;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use platform::bus::Word;
use platform::oidc::Refreshed;

use crate::app::App;

/// What replicas are told when there is an order.
const SUBJECT: &str = "auth.jwks.refresh";
/// Between two looks; a replica without the bus is late by no more than this.
const BEAT: Duration = Duration::from_secs(2);
/// How long whoever gave an order waits for the others.
const ACK_WAIT: Duration = Duration::from_secs(5);
const ACK_LOOK: Duration = Duration::from_millis(50);
const SAY_LIMIT: Duration = Duration::from_secs(1);

/// Looks for orders until the process ends.
pub(crate) async fn run(app: App) {
    let mut words = hear(&app).await;
    let mut last = None;
    loop {
        match beat(&app, last).await {
            Ok(order) => last = Some(order),
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "no look at orders"
                );
            }
        }
        tokio::select! {
            () = app.shutdown.cancelled() => break,
            Some(_) = words.next() => {}
            () = app.orders.notified() => {}
            () = tokio::time::sleep(BEAT) => {}
        }
    }
    let left = async { db::replica::leave(&mut *app.pool.acquire().await?, app.replica).await };
    if let Err(error) = left.await {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "left without a word"
        );
    }
}

async fn hear(app: &App) -> BoxStream<'static, Word> {
    match app.dependencies.bus.hear(SUBJECT).await {
        Ok(words) => words.chain(futures::stream::pending()).boxed(),
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "the bus is not heard; orders come late"
            );
            futures::stream::pending().boxed()
        }
    }
}

/// Carries out every order after the last one; answers which is the last now.
async fn beat(app: &App, last: Option<i64>) -> db::Result<i64> {
    let mut conn = app.pool.acquire().await?;
    db::replica::beat(&mut conn, app.replica).await?;
    let last = match last {
        Some(last) => last,
        None => db::jwks_refresh::settled(&mut conn).await?,
    };
    let orders = db::jwks_refresh::after(&mut conn, last).await?;
    drop(conn);
    let Some(newest) = orders.last() else {
        return Ok(last);
    };
    let begin = Instant::now();
    let refreshed = match &app.issuer {
        Some(issuer) => issuer.refresh(orders.iter().any(|order| order.purge)).await,
        None => Some(Refreshed::default()),
    };
    let ok = refreshed.is_some();
    let Refreshed {
        kids_added,
        kids_removed,
    } = refreshed.unwrap_or_default();
    let ack = Ack {
        replica: app.replica,
        ok,
        elapsed_millis: i32::try_from(begin.elapsed().as_millis()).unwrap_or(i32::MAX),
        kids_added,
        kids_removed,
    };
    let mut conn = app.pool.acquire().await?;
    for order in &orders {
        db::jwks_refresh::acknowledge(&mut conn, order.id, &ack).await?;
    }
    Ok(newest.id)
}

/// What one replica did about an order; no [`Ack`]: it did not say anything in time.
pub(crate) type Answer = (domain::id::ReplicaId, Option<Ack>);

/// Tells every replica that there is an order, and waits for them for a while.
pub(crate) async fn spread(app: &App, order: i64) -> db::Result<Vec<Answer>> {
    app.orders.notify_one();
    let word = app.dependencies.bus.say(SUBJECT, order.to_string().into());
    match tokio::time::timeout(SAY_LIMIT, word).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = format!("{error:#}"), "the bus is away"),
        Err(_) => tracing::warn!("the bus does not answer in time"),
    }
    let begin = Instant::now();
    loop {
        let mut conn = app.pool.acquire().await?;
        let alive = db::replica::alive(&mut conn).await?;
        let acks = db::jwks_refresh::acks(&mut conn, order).await?;
        drop(conn);
        let answers: Vec<Answer> = alive
            .into_iter()
            .map(|id| (id, acks.iter().find(|ack| ack.replica == id).cloned()))
            .collect();
        let all = answers.iter().all(|(_, ack)| ack.is_some());
        if all || begin.elapsed() >= ACK_WAIT {
            return Ok(answers);
        }
        tokio::time::sleep(ACK_LOOK).await;
    }
}
