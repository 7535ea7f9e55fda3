//! How many GPUs somebody may have together.

/// A limit, and what the live allocations under it ask for. Where it was lowered since, more is used
/// than it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub gpus_max: i64,
    pub gpus_used: i64,
}

impl Usage {
    /// GPUs that may still be asked for; never below zero.
    pub fn gpus_left(self) -> i64 {
        self.gpus_max.saturating_sub(self.gpus_used).max(0)
    }

    /// Whether an allocation of so many GPUs may come on top.
    pub fn allows(self, gpus: i64) -> bool {
        gpus <= self.gpus_left()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_allowed_stays_within(gpus_max in 0_i64..100_000, gpus_used in 0_i64..200_000, gpus in 1_i64..1_000) {
            let usage = Usage { gpus_max, gpus_used };
            prop_assert_eq!(usage.allows(gpus), gpus_used + gpus <= gpus_max);
            prop_assert!(usage.allows(usage.gpus_left()) && !usage.allows(usage.gpus_left() + 1));
        }
    }
}
