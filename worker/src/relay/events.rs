//! Events to JetStream.

use std::collections::BTreeMap;

use anyhow::Context as _;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, message::PublishMessage};
use db::PgConnection;
use db::outbox::{Backlog, OutboxEvent};
use domain::event::Event;
use domain::policy::{self, Scope};
use jsonschema::Validator;
use secrecy::SecretString;
use sqlx::Connection;

use super::leader::{Outbox, Pass};
use super::{attention, cloud_event};

/// Events in flight at once: a batch that breaks off is published again, so it is small.
const BATCH: i64 = 100;

pub(super) struct Events {
    nats_url: SecretString,
    stream: Option<jetstream::Context>,
    schemas: BTreeMap<&'static str, Validator>,
}

/// Why an event did not get there.
enum Stop {
    Away(String),
    Refused(String),
}

impl Events {
    pub(super) fn new(nats_url: SecretString) -> anyhow::Result<Self> {
        let schemas = Event::schemas()
            .into_iter()
            .map(|(name, schema)| {
                let schema = jsonschema::validator_for(schema.as_value());
                Ok((name, schema.with_context(|| format!("schema of {name}"))?))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            nats_url,
            stream: None,
            schemas,
        })
    }

    /// The stream, which is made where it is not there.
    async fn stream(&mut self) -> anyhow::Result<jetstream::Context> {
        if let Some(stream) = &self.stream {
            return Ok(stream.clone());
        }
        let client = platform::nats::connect(&self.nats_url, "relay").await?;
        let stream = platform::nats::event_stream(client).await?;
        Ok(self.stream.insert(stream).clone())
    }

    /// The fence: nothing goes out that its closed schema does not know.
    fn check(&self, event: &OutboxEvent) -> Result<(), Stop> {
        let Some(schema) = self.schemas.get(event.type_name.as_str()) else {
            return Err(Stop::Refused("there is no such type of event".to_owned()));
        };
        // The error's own text would quote the value.
        match schema.validate(&event.data) {
            Ok(()) => Ok(()),
            Err(error) => Err(Stop::Refused(format!(
                "does not follow its schema at {:?}",
                error.schema_path().to_string()
            ))),
        }
    }

    async fn send(
        &self,
        stream: &jetstream::Context,
        event: &OutboxEvent,
    ) -> Result<jetstream::context::PublishAckFuture, Stop> {
        self.check(event)?;
        let message = PublishMessage::build()
            .message_id(event.id.to_string())
            .payload(cloud_event::render(event).to_string().into());
        stream
            .send_publish(event.type_name.clone(), message)
            .await
            .map_err(|error| stop(&error))
    }

    async fn publish(
        &mut self,
        conn: &mut PgConnection,
        events: Vec<OutboxEvent>,
    ) -> anyhow::Result<Pass> {
        let stream = match self.stream().await {
            Ok(stream) => stream,
            Err(error) => return Ok(self.away(&format!("{error:#}"))),
        };
        let mut sent = Vec::new();
        for event in events {
            let ack = self.send(&stream, &event).await;
            sent.push((event, ack));
        }
        let mut published = Vec::new();
        let mut refused = Vec::new();
        let mut away = None;
        for (event, ack) in sent {
            let acknowledged = match ack {
                Ok(ack) => ack.await.map(drop).map_err(|error| stop(&error)),
                Err(stop) => Err(stop),
            };
            match acknowledged {
                Ok(()) => published.push(event.id),
                Err(Stop::Refused(why)) => refused.push((event, why)),
                Err(Stop::Away(why)) => {
                    away = Some(why);
                    break;
                }
            }
        }
        db::outbox::mark_published(conn, &published).await?;
        for (event, why) in refused {
            bury_or_count(conn, event, &why).await?;
        }
        match away {
            Some(why) => Ok(self.away(&why)),
            None if published.is_empty() => Ok(Pass::Idle),
            None => Ok(Pass::Progress),
        }
    }

    fn away(&mut self, why: &str) -> Pass {
        tracing::warn!(why, "NATS is away");
        self.stream = None;
        Pass::Away
    }
}

impl Outbox for Events {
    const NAME: &'static str = "events";

    async fn pass(&mut self, conn: &mut PgConnection) -> anyhow::Result<Pass> {
        let events = db::outbox::unpublished(conn, BATCH).await?;
        if events.is_empty() {
            return Ok(Pass::Idle);
        }
        self.publish(conn, events).await
    }

    async fn backlog(&self, conn: &mut PgConnection) -> db::Result<Backlog> {
        db::outbox::backlog(conn).await
    }

    async fn observe(&self, conn: &mut PgConnection) -> db::Result<()> {
        attention::observe(conn).await
    }

    async fn survey(&self, conn: &mut PgConnection) -> db::Result<()> {
        attention::survey(conn).await
    }
}

/// A message that is too large stays so; everything else passes.
fn stop(error: &PublishError) -> Stop {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => Stop::Refused(error.to_string()),
        _ => Stop::Away(error.to_string()),
    }
}

/// Counts a refusal; after the last one the event becomes a dead letter. The events behind it do
/// not wait: whoever needs them in order has their `sequence`.
async fn bury_or_count(
    conn: &mut PgConnection,
    mut event: OutboxEvent,
    why: &str,
) -> anyhow::Result<()> {
    let most = db::policy::resolve(conn, &policy::RELAY_ATTEMPTS, Scope::Platform).await?;
    event.attempts += 1;
    tracing::warn!(event = %event.id, attempts = event.attempts, why, "event refused");
    let mut tx = conn.begin().await?;
    db::outbox::mark_refused(&mut tx, event.id, why).await?;
    if i64::from(event.attempts) >= most {
        db::dead_letter::bury_event(&mut tx, &event, why).await?;
    }
    tx.commit().await?;
    Ok(())
}
