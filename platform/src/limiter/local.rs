//! Buckets of this process alone, for as long as Redis cannot decide.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use domain::rate::{Level, Rate};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use moka::sync::Cache;

use super::{Ask, Bucket};

/// Buckets that are kept; beyond it the ones used least are forgotten.
const MOST: u64 = 100_000;
/// One that nobody asked for is forgotten after.
const IDLE: Duration = Duration::from_mins(10);

type Direct = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

pub(super) struct Local {
    /// Processes that share each limit.
    replicas: u32,
    buckets: Cache<(String, Rate), Arc<Direct>>,
    clock: DefaultClock,
}

impl Local {
    pub(super) fn new(replicas: u32) -> Self {
        Self {
            replicas,
            buckets: Cache::builder()
                .max_capacity(MOST)
                .time_to_idle(IDLE)
                .build(),
            clock: DefaultClock::default(),
        }
    }

    /// Charges each bucket in turn. Unlike Redis it may charge some of them for a call that another
    /// refuses: stricter than it need be, for as long as it lasts.
    pub(super) fn decide(&self, asks: &[Ask]) -> Vec<Bucket> {
        asks.iter().map(|ask| self.charge(ask)).collect()
    }

    fn charge(&self, ask: &Ask) -> Bucket {
        let rate = ask.rate.part_of(self.replicas);
        let direct = self
            .buckets
            .get_with((ask.key.clone(), rate), || Arc::new(direct(rate)));
        let interval = Duration::from_micros(rate.interval_micros());
        let (exceeded, left, wait) = match direct.check() {
            Ok(state) => (false, state.remaining_burst_capacity(), interval),
            Err(until) => (true, 0, until.wait_time_from(self.clock.now())),
        };
        let next_seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Bucket {
            exceeded,
            rate,
            level: Level {
                left: u64::from(left),
                next_seconds: next_seconds.max(1),
            },
        }
    }
}

fn direct(rate: Rate) -> Direct {
    let burst = NonZeroU32::new(rate.burst()).unwrap_or(NonZeroU32::MIN);
    // An interval is never zero.
    let quota = Quota::with_period(Duration::from_micros(rate.interval_micros()))
        .unwrap_or(Quota::per_minute(NonZeroU32::MIN))
        .allow_burst(burst);
    RateLimiter::direct(quota).with_middleware()
}
