//! Access tokens of the configured OpenID provider: its keys, kept fresh, and the whole way of a
//! token up to its claims (JWT-01 to JWT-05, JWT-08). The rules are `domain::jwt`; the clock, what
//! was revoked and who the subject is come from the database, which is not this room's.

mod fetch;
mod keeper;
mod login;
mod misses;
mod pace;
mod signature;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use domain::jwt::{Compact, KeySet, Reject, Rules, Statement};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::keeper::{Ask, Keeper};
pub use self::login::{LoginError, Relying};
use self::misses::Misses;
pub use self::pace::Pace;
pub use self::signature::verify;
use crate::dial::web::Web;

/// How long a request waits for a fetch that may bring its key.
const FETCH_WAIT: Duration = Duration::from_secs(5);
/// Asks under way; requests are bounded far below it.
const MAX_ASKS: usize = 4096;

/// One provider whose tokens are taken.
pub struct Issuer {
    rules: Rules,
    pace: Pace,
    keys: Arc<ArcSwap<Snapshot>>,
    misses: Mutex<Misses>,
    asks: mpsc::Sender<Ask>,
}

/// The keys as they were at one moment; replaced as a whole.
#[derive(Debug, Default)]
struct Snapshot {
    keys: KeySet,
    /// `None`: never, or thrown away.
    fetched_at: Option<Instant>,
    ttl: Duration,
}

/// A token whose signature holds; its claims wait for the clock.
#[derive(Debug)]
pub struct Signed {
    pub statement: Statement,
    pub key_id: String,
}

/// What a refresh changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refreshed {
    pub kids_added: Vec<String>,
    pub kids_removed: Vec<String>,
}

impl Issuer {
    /// Starts to fetch the provider's keys and keeps them fresh until `shutdown`.
    pub fn start(rules: Rules, pace: Pace, shutdown: &CancellationToken) -> anyhow::Result<Self> {
        let home: Url = rules.issuer.parse().context("OIDC_ISSUER_URL")?;
        let keys = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
        let (asks, asked) = mpsc::channel(MAX_ASKS);
        let keeper = Keeper::new(
            Web::new(&home)?,
            rules.issuer.clone(),
            pace,
            Arc::clone(&keys),
        );
        tokio::spawn(
            shutdown
                .clone()
                .run_until_cancelled_owned(keeper.run(asked)),
        );
        Ok(Self {
            rules,
            pace,
            keys,
            misses: Mutex::new(Misses::new(pace.floor)),
            asks,
        })
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Everything about a token that needs neither clock nor database, in the order of JWT-01.
    pub async fn read(&self, text: &str) -> Result<Signed, Reject> {
        self.read_as(text, &self.rules).await
    }

    /// The same of another of the issuer's kinds of tokens.
    async fn read_as(&self, text: &str, rules: &Rules) -> Result<Signed, Reject> {
        let token = Compact::parse(text)?;
        let statement = Statement::read(&token, rules)?;
        let (_, key_id) = token.names(&rules.algorithms)?;
        let snapshot = self.with_key(key_id).await?;
        let key = token.key(&snapshot.keys, &rules.algorithms)?;
        signature::verify(&token, key)?;
        Ok(Signed {
            statement,
            key_id: key.id.clone(),
        })
    }

    /// Fetches the keys now, whatever was fetched lately. With `purge`, what is known is forgotten
    /// first, so that a provider that is away leaves no key trusted. `None`: the fetch failed.
    pub async fn refresh(&self, purge: bool) -> Option<Refreshed> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::Now { purge, reply }).await.ok()?;
        let refreshed = answer.await.ok()??;
        self.misses().clear();
        Some(refreshed)
    }

    /// The keys, with this one among them if the provider has it.
    async fn with_key(&self, key_id: &str) -> Result<Arc<Snapshot>, Reject> {
        let snapshot = self.keys.load_full();
        if snapshot.is_usable(&self.pace) && snapshot.keys.get(key_id).is_some() {
            return Ok(snapshot);
        }
        metrics::counter!("jwks_unknown_kid_total").increment(1);
        if self.misses().contains(key_id, Instant::now()) {
            return Err(Reject::UnknownKey);
        }
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.asks.send(Ask::Missing { reply }).await.ok()?;
            answer.await.ok()
        };
        // Whatever came of it: the keys say.
        drop(tokio::time::timeout(FETCH_WAIT, asked).await);
        let snapshot = self.keys.load_full();
        if !snapshot.is_usable(&self.pace) {
            return Err(Reject::KeysUnavailable);
        }
        if snapshot.keys.get(key_id).is_none() {
            self.misses().insert(key_id, Instant::now());
            return Err(Reject::UnknownKey);
        }
        Ok(snapshot)
    }

    fn misses(&self) -> std::sync::MutexGuard<'_, Misses> {
        self.misses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshot {
    /// Fresh, or stale for no longer than may be while the provider is away.
    fn is_usable(&self, pace: &Pace) -> bool {
        self.fetched_at
            .is_some_and(|at| at.elapsed() <= self.ttl + pace.stale)
    }
}
