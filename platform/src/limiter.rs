//! Limits that all processes share, in Redis; and what holds while Redis cannot decide.
//!
//! One script decides about all buckets of a call, by Redis' own clock. Whatever goes wrong with
//! it (no connection, no answer within [`ANSWER_LIMIT`], an error) makes the call *undecided*,
//! which is for the caller of this to judge: it asks [`Limiter::decide_locally`], or refuses.

mod breaker;
mod local;

use std::time::Duration;

use anyhow::Context as _;
use domain::rate::{Level, Rate};
use futures::FutureExt as _;
use redis::Script;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use self::breaker::Breaker;
pub use self::breaker::State;
use self::local::Local;

/// The script, to be read by whoever wants to prove it.
pub const SCRIPT: &str = include_str!("limiter/decide.lua");
/// How long Redis may take (RL-03).
const ANSWER_LIMIT: Duration = Duration::from_millis(20);
/// Turns that other tasks have after that: to write the question, to see that something can be
/// read, to read the answer.
const TURNS: usize = 3;
/// How long a connection may take to be made; nobody waits for it longer than the above.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// One bucket that a call counts against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub key: String,
    pub rate: Rate,
}

/// A bucket after the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// It has no room for the call.
    pub exceeded: bool,
    /// What was in force; a part of what was asked for in the local tier.
    pub rate: Rate,
    pub level: Level,
}

/// Redis did not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undecided;

#[derive(Clone, Copy)]
enum Calls {
    Take,
    GiveBack,
}

/// See the head of this module.
pub struct Limiter {
    client: redis::Client,
    connection: std::sync::OnceLock<ConnectionManager>,
    script: Script,
    breaker: Breaker,
    local: Local,
}

impl Limiter {
    /// `replicas`: how many processes share the limits. Fails on a URL that is none.
    pub fn new(url: &SecretString, replicas: u32) -> anyhow::Result<Self> {
        Ok(Self {
            client: redis::Client::open(url.expose_secret()).context("REDIS_URL")?,
            connection: std::sync::OnceLock::new(),
            script: Script::new(SCRIPT),
            breaker: Breaker::default(),
            local: Local::new(replicas),
        })
    }

    /// Makes the connection before somebody needs it.
    pub async fn connect(&self) -> anyhow::Result<()> {
        let mut connection = self.connection()?;
        Ok(self.script.load_async(&mut connection).await.map(drop)?)
    }

    /// Charges all buckets, or none if one of them is exceeded. In the order of `asks`.
    pub async fn decide(&self, asks: &[Ask]) -> Result<Vec<Bucket>, Undecided> {
        let decision = self.run(asks, Calls::Take).await?;
        let buckets = asks.iter().zip(decision.buckets);
        Ok(buckets
            .map(|(ask, (exceeded, arrival))| Bucket {
                exceeded,
                rate: ask.rate,
                level: ask.rate.level(decision.now_micros, arrival),
            })
            .collect())
    }

    /// Takes a charge back.
    pub async fn give_back(&self, asks: &[Ask]) -> Result<(), Undecided> {
        self.run(asks, Calls::GiveBack).await.map(drop)
    }

    /// The same by this process alone, each limit divided among the processes.
    pub fn decide_locally(&self, asks: &[Ask]) -> Vec<Bucket> {
        self.local.decide(asks)
    }

    pub fn state(&self) -> State {
        self.breaker.state(Instant::now())
    }

    async fn run(&self, asks: &[Ask], calls: Calls) -> Result<Decision, Undecided> {
        if !self.breaker.admits(Instant::now()) {
            return Err(Undecided);
        }
        let decision = match within_limit(self.invoke(asks, calls)).await {
            Some(Ok(numbers)) => Decision::read(&numbers, asks.len()),
            Some(Err(error)) => {
                tracing::debug!(%error, "Redis did not decide");
                None
            }
            None => {
                tracing::debug!("Redis did not decide in time");
                None
            }
        };
        self.breaker.note(decision.is_some(), Instant::now());
        decision.ok_or(Undecided)
    }

    async fn invoke(&self, asks: &[Ask], calls: Calls) -> redis::RedisResult<Vec<u64>> {
        let mut connection = self.connection()?;
        let mut invocation = self.script.prepare_invoke();
        for ask in asks {
            invocation
                .key(&ask.key)
                .arg(ask.rate.interval_micros())
                .arg(ask.rate.burst())
                .arg(match calls {
                    Calls::Take => 1,
                    Calls::GiveBack => -1,
                });
        }
        invocation.invoke_async(&mut connection).await
    }

    /// Made when first asked for, inside the runtime; connects in the background and heals itself.
    fn connection(&self) -> redis::RedisResult<ConnectionManager> {
        if let Some(connection) = self.connection.get() {
            return Ok(connection.clone());
        }
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(CONNECT_LIMIT))
            .set_response_timeout(Some(CONNECT_LIMIT));
        let made = ConnectionManager::new_lazy_with_config(self.client.clone(), config)?;
        Ok(self.connection.get_or_init(|| made).clone())
    }
}

/// Waits for [`ANSWER_LIMIT`]. On a busy machine it may be this process that did not come to read
/// the answer: whatever has arrived by then still counts, so that a crowd of our own is not taken
/// for a Redis that is away. Where nothing else is to be done the turns that are given away cost
/// nothing.
async fn within_limit<T>(answer: impl Future<Output = T>) -> Option<T> {
    let mut answer = std::pin::pin!(answer);
    if let Ok(answer) = tokio::time::timeout(ANSWER_LIMIT, answer.as_mut()).await {
        return Some(answer);
    }
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
        if let Some(answer) = answer.as_mut().now_or_never() {
            return Some(answer);
        }
    }
    None
}

/// What the script answers.
struct Decision {
    now_micros: u64,
    /// Exceeded, and arrival time, of each bucket.
    buckets: Vec<(bool, u64)>,
}

impl Decision {
    fn read(numbers: &[u64], buckets: usize) -> Option<Self> {
        let [now_micros, _, rest @ ..] = numbers else {
            return None;
        };
        let (pairs, []) = rest.as_chunks::<2>() else {
            return None;
        };
        (pairs.len() == buckets).then(|| Self {
            now_micros: *now_micros,
            buckets: pairs
                .iter()
                .map(|[exceeded, arrival]| (*exceeded == 1, *arrival))
                .collect(),
        })
    }
}
