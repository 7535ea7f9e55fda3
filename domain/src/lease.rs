//! When tenants are told that their lease is about to end.

/// What is known of a lease, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// From handing over to its end as it stands now.
    pub total_seconds: i64,
    /// From now to its end; 0 and below: it has ended.
    pub remaining_seconds: i64,
    /// The nearest warning that was given for this end, as its distance from the end.
    pub warned_seconds: Option<i64>,
}

impl Lease {
    /// Distance from the end of the warning that comes next, of those at these distances. One that
    /// is as long before the end as the lease is long would come with the key: it is left out. Of
    /// several that are due only the nearest is given.
    pub fn next_warning(&self, distances_seconds: [i64; 2]) -> Option<i64> {
        let limit = self.warned_seconds.unwrap_or(self.total_seconds);
        let open = distances_seconds
            .into_iter()
            .filter(|distance| (1..limit).contains(distance));
        let due = open
            .clone()
            .filter(|distance| self.remaining_seconds <= *distance);
        due.min().or(open.max())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400;
    const HOUR: i64 = 3_600;

    #[test]
    fn a_day_and_an_hour_before() {
        let next = |total_seconds, remaining_seconds, warned_seconds| {
            let lease = Lease {
                total_seconds,
                remaining_seconds,
                warned_seconds,
            };
            lease.next_warning([DAY, HOUR])
        };
        assert_eq!(next(7 * DAY, 7 * DAY, None), Some(DAY));
        assert_eq!(next(7 * DAY, DAY, None), Some(DAY));
        assert_eq!(next(7 * DAY, DAY, Some(DAY)), Some(HOUR));
        assert_eq!(next(7 * DAY, HOUR, Some(HOUR)), None);
        // Nobody was there to give the first one.
        assert_eq!(next(7 * DAY, HOUR - 1, None), Some(HOUR));
        assert_eq!(next(DAY, DAY, None), Some(HOUR));
        assert_eq!(next(HOUR, HOUR, None), None);
    }

    proptest! {
        /// Each warning is given once at most, and those that are given come nearer and nearer.
        #[test]
        fn warnings_come_nearer(
            total_seconds in 1..1_000_000_i64,
            distances in [0..100_000_i64, 0..100_000_i64],
            looks in prop::collection::vec(0..1_000_000_i64, 0..20),
        ) {
            let mut given: Vec<i64> = Vec::new();
            for remaining_seconds in looks {
                let warned_seconds = given.last().copied();
                let lease = Lease { total_seconds, remaining_seconds, warned_seconds };
                if let Some(next) = lease.next_warning(distances).filter(|d| remaining_seconds <= *d) {
                    prop_assert!(given.last().is_none_or(|last| next < *last));
                    given.push(next);
                }
            }
            prop_assert!(given.len() <= 2);
        }
    }
}
