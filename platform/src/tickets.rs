//! Single-use tickets: minted here, and taken once.
//!
//! Taking one goes, in this order, past its signature (which costs no look-up), Redis, which gives
//! the binding away once (`GETDEL`), the binding itself, and a row that is unique for ever. Redis
//! replicates without waiting: a failover may bring a key back, and then the row refuses. Whatever
//! cannot be asked closes the door.

use std::time::Duration;

use anyhow::Context as _;
use domain::signing_key::Purpose;
use domain::ticket::{Binding, LIFETIME_SECONDS, Presented, Ticket, Unsigned};
use rand::TryRng as _;
use rand::rngs::SysRng;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{ExistenceCheck, Script, SetExpiry, SetOptions};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::signing::{Signer, Unavailable};

/// How long Redis may take for one command.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// How long a connection to it may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Gives the value away and says what time it is, by the clock that the expiry was set by.
const TAKE: &str = "return {redis.call('GETDEL', KEYS[1]), redis.call('TIME')[1]}";

/// A fresh ticket, shown once.
#[derive(Debug)]
pub struct Minted {
    pub ticket: SecretString,
    /// Unix seconds.
    pub expires_at: u64,
}

/// Why a ticket did not open anything.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// Never. Whoever showed it learns nothing of the reason.
    #[error("the ticket opens nothing")]
    Refused(Reason),
    /// It could not be judged: a door that stays closed (503). The ticket may be used up.
    #[error("tickets cannot be judged now")]
    Unavailable(#[source] anyhow::Error),
}

/// Why a ticket was refused; for metrics and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Not a ticket, or not signed by a terminal signer that counts.
    Forged,
    Expired,
    /// It was taken before.
    Replayed,
    /// Minted for something else; it is used up now.
    Binding,
}

impl From<Unavailable> for TicketError {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<redis::RedisError> for TicketError {
    fn from(error: redis::RedisError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Mints and takes tickets.
pub struct Tickets {
    signer: Signer,
    client: redis::Client,
    connection: OnceCell<ConnectionManager>,
    take: Script,
}

impl Tickets {
    /// Fails on a URL that is none; Redis need not be there yet.
    pub fn new(redis_url: &SecretString, signer: Signer) -> anyhow::Result<Self> {
        Ok(Self {
            signer,
            client: redis::Client::open(redis_url.expose_secret()).context("REDIS_URL")?,
            connection: OnceCell::new(),
            take: Script::new(TAKE),
        })
    }

    /// A ticket for what the binding says. Who may have one is the caller's to judge, and to write
    /// into the audit log.
    pub async fn mint(&self, binding: &Binding) -> Result<Minted, TicketError> {
        let mut random = Zeroizing::new([0; 32]);
        let drawn = SysRng.try_fill_bytes(random.as_mut_slice());
        drawn.map_err(|error| TicketError::Unavailable(error.into()))?;
        let value = serde_json::to_string(binding);
        let value = value.map_err(|error| TicketError::Unavailable(error.into()))?;
        let key = self.signer.active(Purpose::TerminalSigner).await?;
        let mut redis = self.connection().await?;

        let (now, _micros): (u64, u64) = redis::cmd("TIME").query_async(&mut redis).await?;
        let expires_at = now + LIFETIME_SECONDS;
        let unsigned = Unsigned::new(&random, expires_at, key.kid());
        let signature = key.sign(&unsigned.input())?;
        let ticket = unsigned.signed(&signature);
        let hash = Ticket::parse(ticket.expose_secret()).map(|ticket| ticket.sha256());
        let hash = hash.ok_or_else(|| unreadable("a fresh ticket"))?;

        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .with_expiration(SetExpiry::PX(LIFETIME_SECONDS * 1_000));
        let set: Option<String> = redis::cmd("SET")
            .arg(redis_key(&hash))
            .arg(value)
            .arg(options)
            .query_async(&mut redis)
            .await?;
        set.ok_or_else(|| unreadable("the answer to SET"))?;
        Ok(Minted { ticket, expires_at })
    }

    /// Takes a ticket for good. `record` writes the unique row (`db::terminal_session::insert`,
    /// committed) under the ticket's hash: `Ok(None)` says that there is one already, anything in
    /// it is handed on.
    pub async fn take<T, E>(
        &self,
        text: &str,
        presented: &Presented<'_>,
        record: impl AsyncFnOnce(&[u8; 32], &Binding) -> Result<Option<T>, E>,
    ) -> Result<(Binding, T), TicketError>
    where
        E: Into<anyhow::Error>,
    {
        let taken = self.try_take(text, presented, record).await;
        match &taken {
            Ok(_) => metrics::counter!("terminal_token_consumed_total").increment(1),
            Err(TicketError::Refused(reason)) => {
                metrics::counter!(reason.counter()).increment(1);
                tracing::warn!(?reason, allocation = %presented.allocation_id, "ticket refused");
            }
            Err(TicketError::Unavailable(error)) => {
                tracing::warn!(error = format!("{error:#}"), "ticket not judged");
            }
        }
        taken
    }

    async fn try_take<T, E>(
        &self,
        text: &str,
        presented: &Presented<'_>,
        record: impl AsyncFnOnce(&[u8; 32], &Binding) -> Result<Option<T>, E>,
    ) -> Result<(Binding, T), TicketError>
    where
        E: Into<anyhow::Error>,
    {
        let refused = TicketError::Refused;
        let ticket = Ticket::parse(text).ok_or(refused(Reason::Forged))?;
        let (input, signature) = (ticket.input(), &ticket.signature);
        let signed = self
            .signer
            .verify(Purpose::TerminalSigner, &ticket.kid, &input, signature);
        if !signed.await? {
            return Err(refused(Reason::Forged));
        }
        let hash = ticket.sha256();
        let mut redis = self.connection().await?;
        let (value, now): (Option<String>, u64) = self
            .take
            .key(redis_key(&hash))
            .invoke_async(&mut redis)
            .await?;
        if now >= ticket.expires_at {
            return Err(refused(Reason::Expired));
        }
        // It is ours and young: what is not there any more was taken.
        let value = value.ok_or(refused(Reason::Replayed))?;
        let binding: Binding =
            serde_json::from_str(&value).map_err(|_| unreadable("what a ticket is bound to"))?;
        if !binding.is_for(presented) {
            return Err(refused(Reason::Binding));
        }
        let recorded = record(&hash, &binding).await;
        let recorded = recorded.map_err(|error| TicketError::Unavailable(error.into()))?;
        let session = recorded.ok_or(refused(Reason::Replayed))?;
        Ok((binding, session))
    }

    async fn connection(&self) -> Result<ConnectionManager, TicketError> {
        let connect = || {
            let config = ConnectionManagerConfig::new()
                .set_number_of_retries(1)
                .set_connection_timeout(Some(CONNECT_LIMIT))
                .set_response_timeout(Some(ANSWER_LIMIT));
            ConnectionManager::new_with_config(self.client.clone(), config)
        };
        Ok(self.connection.get_or_try_init(connect).await?.clone())
    }
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tickets")
    }
}

impl Reason {
    fn counter(self) -> &'static str {
        match self {
            Self::Forged => "terminal_token_forged_total",
            Self::Expired => "terminal_token_expired_total",
            Self::Replayed => "terminal_token_replay_rejected_total",
            Self::Binding => "terminal_token_binding_mismatch_total",
        }
    }
}

/// The key that a ticket's binding lies under (TRM-01).
pub fn redis_key(sha256: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    let start = "tt:".to_owned();
    sha256.iter().fold(start, |mut key, byte| {
        // Writing to a string does not fail.
        let _written = write!(key, "{byte:02x}");
        key
    })
}

fn unreadable(what: &str) -> TicketError {
    TicketError::Unavailable(anyhow::anyhow!("{what} is not what it should be"))
}
