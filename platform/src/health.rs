//! Whether Redis answers. It need not be there when a role starts.

use anyhow::Context;
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
