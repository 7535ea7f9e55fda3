//! What the guard of a prepaid balance makes of what it sees. No clock and no rows: the same sight gives
//! the same verdict.

use time::{Duration, OffsetDateTime};

use crate::balance::{BalanceState, Spending, Warnings};

/// What it knows from the look before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// The last instant at which something was left.
    pub solvent_at: Option<OffsetDateTime>,
    /// The instant of zero.
    pub depleted_at: Option<OffsetDateTime>,
}

/// A credit that is going to expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    pub at: OffsetDateTime,
    /// What will be left of it then, if nothing changes.
    pub lapses_micros: i64,
}

/// What it sees.
#[derive(Debug, Clone)]
pub struct Sight<'a> {
    pub now: OffsetDateTime,
    pub ledger_micros: i64,
    pub available_micros: i64,
    pub spending: &'a Spending,
    /// The next one.
    pub ahead: Option<Ahead>,
}

/// What one look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub state: BalanceState,
    pub solvent_at: Option<OffsetDateTime>,
    pub depleted_at: Option<OffsetDateTime>,
    /// When the balance ends, or ended.
    pub zero_at: Option<OffsetDateTime>,
}

impl Sight<'_> {
    /// How the balance stands. Zero that has passed is where the money ended, whenever it is seen, but
    /// not before the last instant at which some was left: what came to light since is nobody's unpaid
    /// use. It moves ahead with money that came since, and never back. Where nothing costs anything,
    /// nothing ends.
    pub fn judge(&self, known: Known, warnings: Warnings) -> Verdict {
        let idle = known.depleted_at.is_none() && self.spending.is_nothing(self.now);
        if self.available_micros > 0 || idle {
            let zero_at = self.forecast().filter(|_| !idle);
            let runway = zero_at.map(|zero| (zero - self.now).max(Duration::microseconds(1)));
            return Verdict {
                state: BalanceState::of(runway, warnings),
                solvent_at: Some(self.now),
                depleted_at: None,
                zero_at,
            };
        }
        let reached = self.spending.reaches(self.ledger_micros);
        // An account that had nothing at first lasts for as long as nothing costs anything.
        let begins = self.spending.begins();
        let reached = reached.map(|zero| zero.max(begins.unwrap_or(zero)).min(self.now));
        let zero = reached.max(known.depleted_at).unwrap_or(self.now);
        let zero = known.solvent_at.map_or(zero, |since| zero.max(since));
        Verdict {
            state: BalanceState::Depleted,
            solvent_at: known.solvent_at,
            depleted_at: Some(zero),
            zero_at: Some(zero),
        }
    }

    /// When it ends, if nothing but what is known changes: the next credit that expires takes what will
    /// be left of it.
    fn forecast(&self) -> Option<OffsetDateTime> {
        let reached = self.spending.reaches(self.ledger_micros);
        let after = self.ahead.and_then(|ahead| {
            let zero = self
                .spending
                .reaches(self.ledger_micros - ahead.lapses_micros);
            zero.map(|zero| zero.max(ahead.at))
        });
        reached.into_iter().chain(after).min()
    }

    /// How long nothing happens, as far as is known.
    pub fn pause(&self, verdict: Verdict, warnings: Warnings) -> Option<Duration> {
        let ends = verdict.zero_at.map(|zero| zero - self.now);
        let ends = ends.filter(|left| left.is_positive());
        let state = ends.map(|left| warnings.until_next(left));
        let rate = self.spending.next_change(self.now).map(|at| at - self.now);
        let expiry = self.ahead.map(|ahead| ahead.at - self.now);
        state.into_iter().chain(rate).chain(expiry).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::balance::RateChange;

    const WARNINGS: Warnings = Warnings {
        low: Duration::seconds(1_000),
        last: Duration::seconds(100),
    };

    fn at(second: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::seconds(second)
    }

    /// One micro a second from the start on.
    fn burning() -> Spending {
        let change = RateChange {
            at: at(0),
            micros_per_hour: 3_600,
        };
        Spending::new(at(0), 0, vec![change])
    }

    fn look(
        spending: &Spending,
        now: i64,
        ledger: i64,
        ahead: Option<Ahead>,
        known: Known,
    ) -> Verdict {
        let now = at(now);
        let used = spending.until(now).expect("it fits");
        let sight = Sight {
            now,
            ledger_micros: ledger,
            available_micros: ledger - used,
            spending,
            ahead,
        };
        sight.judge(known, WARNINGS)
    }

    fn known(verdict: Verdict) -> Known {
        Known {
            solvent_at: verdict.solvent_at,
            depleted_at: verdict.depleted_at,
        }
    }

    #[test]
    fn what_expires_is_known_beforehand() {
        let ahead = Ahead {
            at: at(50),
            lapses_micros: 9_950,
        };
        let seen = look(&burning(), 0, 10_000, Some(ahead), Known::default());
        assert_eq!(seen.zero_at, Some(at(50)));
        assert_eq!(seen.state, BalanceState::AutoReleasePending);
        let kept = Ahead {
            lapses_micros: 0,
            ..ahead
        };
        let seen = look(&burning(), 0, 10_000, Some(kept), Known::default());
        assert_eq!(
            (seen.zero_at, seen.state),
            (Some(at(10_000)), BalanceState::Healthy)
        );
    }

    #[test]
    fn what_is_free_does_not_end_until_it_costs() {
        let change = RateChange {
            at: at(500),
            micros_per_hour: 3_600,
        };
        let later = Spending::new(at(0), 0, vec![change]);
        let free = look(&later, 100, 0, None, Known::default());
        assert_eq!((free.state, free.zero_at), (BalanceState::Healthy, None));
        let costs = look(&later, 501, 0, None, known(free));
        assert_eq!(costs.depleted_at, Some(at(500)), "where it began to cost");
    }

    /// Less than half a micro may be left where a balance counts as used up: that is no reason to look
    /// for zero where the use began.
    #[test]
    fn what_is_less_than_can_be_counted_ends_now() {
        let stretch = [(0, 3_600), (1, -3_600)].map(|(second, micros_per_hour)| RateChange {
            at: at(second) - Duration::microseconds(second),
            micros_per_hour,
        });
        let spending = Spending::new(at(0), 0, stretch.to_vec());
        assert_eq!(spending.reaches(1), None, "a microsecond is missing");
        let seen = look(&spending, 5, 1, None, Known::default());
        assert_eq!(seen.depleted_at, Some(at(5)));
    }

    #[test]
    fn what_comes_to_light_does_not_reach_back_before_the_last_look() {
        let seen = look(&burning(), 600, 1_000, None, Known::default());
        assert_eq!(seen.solvent_at, Some(at(600)));
        // A refund: what is there now would have ended long before.
        let refunded = look(&burning(), 700, 10, None, known(seen));
        assert_eq!(refunded.depleted_at, Some(at(600)));
    }

    proptest! {
        /// However often and however late it is looked, with money that comes at any time: zero is
        /// never where something was left, never after the money was gone, and never moves back.
        #[test]
        fn zero_is_the_same_whoever_looks(
            given in 1..2_000_i64,
            steps in prop::collection::vec((1..800_i64, prop::option::of(1..500_i64)), 1..12),
        ) {
            let spending = burning();
            let (mut ledger, mut now) = (given, 0);
            let mut before = Known { solvent_at: Some(at(0)), depleted_at: None };
            for (later, money) in steps {
                now += later;
                ledger += money.unwrap_or(0);
                let seen = look(&spending, now, ledger, None, before);
                if let Some(zero) = seen.depleted_at {
                    prop_assert_eq!(seen.state, BalanceState::Depleted);
                    let money_ends = at(ledger);
                    prop_assert!(zero <= at(now) && zero >= money_ends.min(at(now)));
                    prop_assert!(before.depleted_at.is_none_or(|former| zero >= former));
                    prop_assert_eq!(zero, money_ends.max(before.solvent_at.expect("known")));
                } else {
                    prop_assert!(seen.state != BalanceState::Depleted);
                    prop_assert_eq!(seen.zero_at, Some(at(ledger)));
                    prop_assert!(now < ledger);
                }
                before = known(seen);
            }
        }
    }
}
