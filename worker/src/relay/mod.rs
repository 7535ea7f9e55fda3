//! `berth relay`: hands on what transactions left in the two outboxes, intents to Temporal and
//! events to JetStream.
//!
//! Any number of relays may run; each outbox has one leader, which holds an advisory lock on the
//! connection that it reads and marks with, so that losing the connection is losing the lead.
//! What was handed on and not marked before a crash is handed on again: Temporal and JetStream
//! recognise it. Nothing is lost while either of them or Postgres is away; it waits.

mod attention;
mod cloud_event;
mod events;
mod intents;
mod leader;

use platform::settings::Settings;
use platform::telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use crate::run::connect;
use crate::{metrics, postgres};

/// Relays until `shutdown`.
pub async fn run(
    settings: Settings,
    telemetry: Telemetry,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let postgres = postgres::options(&settings, "relay")?;
    let intents = async {
        let Some(client) = connect(&settings, "relay", &shutdown).await else {
            return Ok(());
        };
        let outbox = intents::Intents { client };
        leader::lead(&postgres, outbox, &shutdown).await;
        anyhow::Ok(())
    };
    let events = async {
        let outbox = events::Events::new(settings.nats_url.clone())?;
        leader::lead(&postgres, outbox, &shutdown).await;
        anyhow::Ok(())
    };
    let metrics = metrics::serve(&settings, telemetry, shutdown.clone());
    tokio::try_join!(intents, events, metrics)?;
    Ok(())
}
