//! Whether Redis and NATS answer. Neither has to be there when a role starts.

use anyhow::Context;
use async_nats::connection::State;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;

/// Redis, connected when first asked for and healed by itself.
pub struct Redis {
    client: redis::Client,
    connection: OnceCell<ConnectionManager>,
}

impl Redis {
    /// Fails on a URL that is none.
    pub fn new(url: &SecretString) -> anyhow::Result<Self> {
        let client = redis::Client::open(url.expose_secret()).context("REDIS_URL")?;
        Ok(Self {
            client,
            connection: OnceCell::new(),
        })
    }

    /// PING.
    pub async fn check(&self) -> anyhow::Result<()> {
        let connect = || {
            ConnectionManager::new_with_config(
                self.client.clone(),
                ConnectionManagerConfig::new().set_number_of_retries(1),
            )
        };
        let mut connection = self.connection.get_or_try_init(connect).await?.clone();
        redis::cmd("PING")
            .query_async::<()>(&mut connection)
            .await?;
        Ok(())
    }
}

/// NATS, connected when first asked for and healed by itself.
pub struct Nats {
    url: SecretString,
    client: OnceCell<async_nats::Client>,
}

impl Nats {
    pub fn new(url: &SecretString) -> Self {
        Self {
            url: url.clone(),
            client: OnceCell::new(),
        }
    }

    /// A round trip to the server.
    pub async fn check(&self) -> anyhow::Result<()> {
        let connect = || crate::nats::connect(&self.url, "health");
        let client = self.client.get_or_try_init(connect).await?;
        anyhow::ensure!(
            client.connection_state() == State::Connected,
            "reconnecting"
        );
        client.flush().await?;
        Ok(())
    }
}
