//! How often a provider is asked.

use std::time::Duration;

/// Time spans of the key cache (JWT-04, JWT-05).
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between fetches that unknown keys cause; as long as an unknown key is remembered.
    pub floor: Duration,
    /// Bounds of what the provider says about how long its keys are good.
    pub ttl_min: Duration,
    pub ttl_max: Duration,
    /// When it says nothing.
    pub ttl: Duration,
    /// How long keys are still trusted past their time while the provider is away.
    pub stale: Duration,
    /// Before the first retry of a fetch that failed; doubled with each, up to `floor`.
    pub retry: Duration,
}

impl Pace {
    pub const STANDARD: Self = Self {
        floor: Duration::from_secs(30),
        ttl_min: Duration::from_mins(1),
        ttl_max: Duration::from_hours(1),
        ttl: Duration::from_mins(5),
        stale: Duration::from_hours(1),
        retry: Duration::from_secs(1),
    };

    pub(super) fn ttl(&self, max_age: Option<Duration>) -> Duration {
        max_age.map_or(self.ttl, |age| age.clamp(self.ttl_min, self.ttl_max))
    }

    /// From a fetch that went well to the next: four fifths of the keys' time.
    pub(super) fn after_success(ttl: Duration) -> Duration {
        ttl * 4 / 5
    }

    /// From a fetch that failed to the next.
    pub(super) fn after_failures(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.retry.saturating_mul(doubled).min(self.floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jwt_04_how_long_keys_are_good() {
        let ttl = |seconds| {
            Pace::STANDARD
                .ttl(Some(Duration::from_secs(seconds)))
                .as_secs()
        };
        assert_eq!((ttl(0), ttl(59), ttl(60)), (60, 60, 60));
        assert_eq!((ttl(600), ttl(3600), ttl(86_400)), (600, 3600, 3600));
        assert_eq!(Pace::STANDARD.ttl(None).as_secs(), 300);
        assert_eq!(Pace::after_success(Duration::from_mins(5)).as_secs(), 240);
    }

    #[test]
    fn jwt_04_failures_are_retried_less_and_less() {
        let waits: Vec<u64> = (1..8)
            .map(|n| Pace::STANDARD.after_failures(n).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(Pace::STANDARD.after_failures(u32::MAX).as_secs(), 30);
    }
}
