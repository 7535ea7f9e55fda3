//! How often something may be asked for: buckets of the generic cell rate algorithm (ITU-T I.371).
//!
//! A bucket is one instant, its *theoretical arrival time*: how far the calls so far reach into
//! the future. Each call moves it on by [`Rate::interval_micros`], and it may reach as far as
//! `burst` calls. Nothing has to be swept up and no window begins anew for everybody at once.

use crate::policy::{self, Policy};

const MINUTE_MICROS: u64 = 60_000_000;
const SECOND_MICROS: u64 = 1_000_000;

/// `burst` calls at once, then `per_minute` each minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    per_minute: u32,
    burst: u32,
}

impl Rate {
    /// Neither is less than one.
    pub fn new(per_minute: u32, burst: u32) -> Self {
        Self {
            per_minute: per_minute.max(1),
            burst: burst.max(1),
        }
    }

    /// For a bucket that so many callers share.
    #[must_use]
    pub fn times(self, callers: u32) -> Self {
        Self::new(
            self.per_minute.saturating_mul(callers),
            self.burst.saturating_mul(callers),
        )
    }

    /// One of so many equal parts.
    #[must_use]
    pub fn part_of(self, parts: u32) -> Self {
        let parts = parts.max(1);
        Self::new(self.per_minute / parts, self.burst / parts)
    }

    pub fn burst(self) -> u32 {
        self.burst
    }

    /// Time that one call uses up, rounded up: never more calls than were allowed.
    pub fn interval_micros(self) -> u64 {
        MINUTE_MICROS.div_ceil(u64::from(self.per_minute))
    }

    /// Time in which an empty bucket is whole again.
    pub fn window_seconds(self) -> u64 {
        self.capacity_micros().div_ceil(SECOND_MICROS)
    }

    fn capacity_micros(self) -> u64 {
        self.interval_micros() * u64::from(self.burst)
    }

    /// What a bucket says to its caller, by the clock and the arrival time that decided.
    pub fn level(self, now_micros: u64, arrival_micros: u64) -> Level {
        let used = arrival_micros.saturating_sub(now_micros);
        let left = self.capacity_micros().saturating_sub(used) / self.interval_micros();
        // The instant at which one more than `left` calls fit.
        let wanted = self.interval_micros() * (left + 1);
        let wait = (used + wanted).saturating_sub(self.capacity_micros());
        Level {
            left,
            next_seconds: wait.div_ceil(SECOND_MICROS).max(1),
        }
    }
}

/// How full a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Calls that would be let through now.
    pub left: u64,
    /// Seconds after which there is one more, at least 1.
    pub next_seconds: u64,
}

/// One group of calls and the two policies that say how many.
#[derive(Debug, PartialEq, Eq)]
pub struct Limit {
    /// Begins the names of its buckets in answers and in Redis.
    pub name: &'static str,
    pub per_minute: &'static Policy,
    pub burst: &'static Policy,
}

macro_rules! limits {
    ($($name:ident = $text:literal, $per_minute:ident, $burst:ident;)+) => {
        $(pub static $name: Limit = Limit {
            name: $text, per_minute: &policy::$per_minute, burst: &policy::$burst,
        };)+

        /// Every limit there is.
        pub static ALL: &[&Limit] = &[$(&$name),+];
    };
}

limits! {
    READ = "read", READ_PER_MINUTE, READ_BURST;
    WRITE = "write", WRITE_PER_MINUTE, WRITE_BURST;
    PROVISION = "provision", PROVISION_PER_MINUTE, PROVISION_BURST;
    CREDENTIAL = "credential", CREDENTIAL_PER_MINUTE, CREDENTIAL_BURST;
    TERMINAL = "terminal", TERMINAL_PER_MINUTE, TERMINAL_BURST;
    PROBE = "probe", PROBE_PER_MINUTE, PROBE_BURST;
    ADMIN = "admin", ADMIN_PER_MINUTE, ADMIN_BURST;
    INTERNAL = "internal", INTERNAL_PER_MINUTE, INTERNAL_BURST;
    UNAUTHENTICATED = "unauthenticated", UNAUTHENTICATED_PER_MINUTE, UNAUTHENTICATED_BURST;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rate_policy_belongs_to_a_limit() {
        let used: Vec<&str> = ALL
            .iter()
            .flat_map(|limit| [limit.per_minute.key, limit.burst.key])
            .collect();
        for limit in ALL {
            assert_eq!(
                limit.per_minute.key,
                format!("rate_limit.{}_per_minute", limit.name)
            );
            assert_eq!(limit.burst.key, format!("rate_limit.{}_burst", limit.name));
        }
        for policy in policy::all() {
            if policy.key.starts_with("rate_limit.") && !policy.key.ends_with("_factor") {
                assert!(used.contains(&policy.key), "{}", policy.key);
            }
        }
    }

    #[test]
    fn a_level_counts_whole_calls() {
        let rate = Rate::new(60, 3);
        let level = |arrival: u64| rate.level(10 * SECOND_MICROS, arrival);
        let is = |left, next_seconds| Level { left, next_seconds };
        assert_eq!(level(0), is(3, 1), "an arrival that is past is none");
        assert_eq!(level(11 * SECOND_MICROS), is(2, 1));
        assert_eq!(level(13 * SECOND_MICROS), is(0, 1));
        assert_eq!(level(13 * SECOND_MICROS + 1), is(0, 2));
        assert_eq!(level(12 * SECOND_MICROS + 1), is(0, 1), "almost one");
    }

    #[test]
    fn odd_rates_stay_within_what_is_allowed() {
        assert_eq!(Rate::new(0, 0), Rate::new(1, 1));
        assert_eq!(Rate::new(7, 1).interval_micros(), 8_571_429);
        assert_eq!(Rate::new(u32::MAX, 1).interval_micros(), 1);
        assert_eq!(Rate::new(100, 20).window_seconds(), 12);
        assert_eq!(Rate::new(600, 120).part_of(3), Rate::new(200, 40));
        assert_eq!(Rate::new(2, 1).part_of(3), Rate::new(1, 1));
        assert_eq!(Rate::new(2, 1).times(u32::MAX).burst(), u32::MAX);
    }
}
