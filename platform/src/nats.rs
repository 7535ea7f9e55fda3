//! The event stream on NATS JetStream.

use std::time::Duration;

use async_nats::jetstream::{self, stream};
use secrecy::{ExposeSecret, SecretString};

/// Name of the stream that holds every event.
pub const STREAM: &str = "BERTH_EVENTS";
/// The subjects it takes.
pub const SUBJECTS: &str = "berth.>";
/// How long the stream forgets a `Nats-Msg-Id`, and so the longest pause after which a repeated
/// publication is still recognised.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(10);
/// How long events are kept for consumers that were away.
const MAX_AGE: Duration = Duration::from_hours(7 * 24);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to the server. The connection heals itself; requests fail while it is away.
pub async fn connect(url: &SecretString, role: &str) -> anyhow::Result<async_nats::Client> {
    Ok(async_nats::ConnectOptions::new()
        .name(format!("berth-{role}"))
        .connection_timeout(CONNECT_TIMEOUT)
        .request_timeout(Some(ACK_TIMEOUT))
        .connect(url.expose_secret())
        .await?)
}

/// A JetStream context on the connection whose stream exists and takes [`SUBJECTS`].
pub async fn event_stream(client: async_nats::Client) -> anyhow::Result<jetstream::Context> {
    let mut context = jetstream::new(client);
    context.set_timeout(ACK_TIMEOUT);
    context
        .create_or_update_stream(stream::Config {
            name: STREAM.to_owned(),
            subjects: vec![SUBJECTS.to_owned()],
            duplicate_window: DUPLICATE_WINDOW,
            max_age: MAX_AGE,
            storage: stream::StorageType::File,
            ..Default::default()
        })
        .await?;
    Ok(context)
}
