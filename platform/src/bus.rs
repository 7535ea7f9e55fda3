//! Word between replicas: messages on NATS that nobody stores. What is said here may be lost, come
//! twice or late, so it only ever says "look again"; what holds is in Postgres, and whoever listens
//! also looks there from time to time without having been told.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::connection::State;
use futures::{Stream, StreamExt as _};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One connection, made when first asked for; it heals itself and renews what is listened to.
pub struct Bus {
    url: SecretString,
    role: &'static str,
    client: OnceCell<async_nats::Client>,
}

/// What somebody said.
#[derive(Debug)]
pub struct Word {
    pub payload: Vec<u8>,
}

impl Bus {
    /// `role` names this process in the server's lists.
    pub fn new(url: &SecretString, role: &'static str) -> Self {
        Self {
            url: url.clone(),
            role,
            client: OnceCell::new(),
        }
    }

    /// A round trip to the server.
    pub async fn check(&self) -> anyhow::Result<()> {
        self.connected().await?.flush().await?;
        Ok(())
    }

    /// Says something to whoever listens now. Fails when the server is away: nothing is kept.
    pub async fn say(&self, subject: &str, payload: Vec<u8>) -> anyhow::Result<()> {
        let client = self.connected().await?;
        client.publish(subject.to_owned(), payload.into()).await?;
        client.flush().await?;
        Ok(())
    }

    /// Everything said on `subject` (`*` and `>` as in NATS) from now on, across reconnections.
    /// Succeeds while the server is away; ends when the process does.
    pub async fn hear(&self, subject: &str) -> anyhow::Result<impl Stream<Item = Word> + use<>> {
        let words = self.client().await?.subscribe(subject.to_owned()).await?;
        Ok(words.map(|message| Word {
            payload: message.payload.to_vec(),
        }))
    }

    async fn connected(&self) -> anyhow::Result<&async_nats::Client> {
        let client = self.client().await?;
        anyhow::ensure!(
            client.connection_state() == State::Connected,
            "NATS is away"
        );
        Ok(client)
    }

    async fn client(&self) -> anyhow::Result<&async_nats::Client> {
        let connect = || {
            async_nats::ConnectOptions::new()
                .name(format!("berth-{}", self.role))
                .connection_timeout(CONNECT_TIMEOUT)
                .retry_on_initial_connect()
                .connect(self.url.expose_secret())
        };
        self.client
            .get_or_try_init(connect)
            .await
            .context("NATS_URL")
    }
}
