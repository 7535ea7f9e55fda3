//! Word between replicas: messages on NATS that nobody stores. What is said here may be lost, come
//! twice or late, so it only ever says "look again"; what holds is in Postgres, and whoever listens
//! also looks there from time to time without having been told.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::connection::State;
use futures::{Stream, StreamExt as _};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;
use tokio::time::Instant;

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
    pub subject: String,
    pub payload: Vec<u8>,
    reply: Option<String>,
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
            subject: message.subject.to_string(),
            payload: message.payload.to_vec(),
            reply: message.reply.map(|reply| reply.to_string()),
        }))
    }

    /// Answers a word that [`Self::ask`] said; nothing happens when nobody waits for an answer.
    pub async fn answer(&self, word: &Word, payload: Vec<u8>) -> anyhow::Result<()> {
        match &word.reply {
            Some(reply) => self.say(reply, payload).await,
            None => Ok(()),
        }
    }

    /// Says something and gathers the answers of all who listen, until `enough` says so or `wait`
    /// has passed.
    pub async fn ask(
        &self,
        subject: &str,
        payload: Vec<u8>,
        wait: Duration,
        mut enough: impl FnMut(&[Vec<u8>]) -> bool,
    ) -> anyhow::Result<Vec<Vec<u8>>> {
        let client = self.connected().await?;
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(inbox.clone()).await?;
        let until = Instant::now() + wait;
        client
            .publish_with_reply(subject.to_owned(), inbox, payload.into())
            .await?;
        client.flush().await?;
        let mut gathered = Vec::new();
        while !enough(&gathered) {
            match tokio::time::timeout_at(until, answers.next()).await {
                // The server's own word that nobody listens.
                Ok(Some(message)) if message.status.is_some() => break,
                Ok(Some(message)) => gathered.push(message.payload.to_vec()),
                Ok(None) | Err(_) => break,
            }
        }
        Ok(gathered)
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
