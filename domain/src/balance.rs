//! When the money of an organization ends: what it spends is a rate that changes at instants, so the
//! instant of zero can be computed, and a stop that comes late still ends the use there.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};
use time::{Duration, OffsetDateTime};

use crate::money::{self, HOUR_MICROSECONDS, TooMuch};

/// How an organization pays.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Terms {
    /// Afterwards, by invoice: its balance may be below zero.
    Invoiced,
    /// Before: what it has is released when its balance is used up.
    Prepaid,
}

impl Terms {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Of an account that nobody has said anything about; `prepaid` is the policy `billing.prepaid`.
    pub fn of_new_account(prepaid: i64) -> Self {
        if prepaid == 0 {
            Self::Invoiced
        } else {
            Self::Prepaid
        }
    }
}

/// How far a prepaid balance is from its end, from the best to the worst: far; soon, if nothing
/// changes; within minutes; used up, and everything is released.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    strum::Display,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schemars(inline)]
pub enum BalanceState {
    Healthy,
    Low,
    AutoReleasePending,
    Depleted,
}

impl BalanceState {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The state of a balance that lasts for so long; `None`: it does not end.
    pub fn of(runway: Option<Duration>, warnings: Warnings) -> Self {
        match runway {
            Some(left) if left <= Duration::ZERO => Self::Depleted,
            Some(left) if left <= warnings.last => Self::AutoReleasePending,
            Some(left) if left <= warnings.low => Self::Low,
            _ => Self::Healthy,
        }
    }
}

/// How long before its end a balance is in the states that warn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warnings {
    pub low: Duration,
    pub last: Duration,
}

impl Warnings {
    /// How long a balance that lasts for `runway` stays in its state: never zero while it lasts.
    pub fn until_next(self, runway: Duration) -> Duration {
        let ahead = [runway - self.low, runway - self.last];
        let next = ahead.into_iter().filter(|pause| pause.is_positive()).min();
        next.unwrap_or(runway)
    }
}

/// From an instant on, so much more an hour is spent, or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateChange {
    pub at: OffsetDateTime,
    pub micros_per_hour: i64,
}

/// What was spent up to an instant, and the rate from there on. Amounts are exact: micros an hour times
/// microseconds, of which [`HOUR_MICROSECONDS`] make a micro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spending {
    from: OffsetDateTime,
    spent: i128,
    changes: Vec<RateChange>,
}

impl Spending {
    /// Changes before `from` count from there on: what they cost before it is in `spent`.
    pub fn new(from: OffsetDateTime, spent: i128, mut changes: Vec<RateChange>) -> Self {
        for change in &mut changes {
            change.at = change.at.max(from);
        }
        changes.sort_by_key(|change| change.at);
        Self {
            from,
            spent,
            changes,
        }
    }

    /// What is spent up to an instant, in micros, half-even; an instant before the first counts as it.
    pub fn until(&self, at: OffsetDateTime) -> Result<i64, TooMuch> {
        let mut spent = self.spent;
        for change in self.changes.iter().filter(|change| change.at < at) {
            spent += i128::from(change.micros_per_hour) * (at - change.at).whole_microseconds();
        }
        money::micros(spent)
    }

    /// Micros an hour at an instant.
    pub fn rate_at(&self, at: OffsetDateTime) -> i64 {
        let past = self.changes.iter().filter(|change| change.at <= at);
        past.map(|change| change.micros_per_hour).sum()
    }

    /// Whether nothing was spent up to an instant, and nothing is at it.
    pub fn is_nothing(&self, at: OffsetDateTime) -> bool {
        let mut past = self.changes.iter().filter(|change| change.at <= at);
        self.spent == 0 && past.all(|change| change.micros_per_hour == 0)
    }

    /// Where anything begins to cost; `None`: it did before the first instant, or nothing is known to.
    pub fn begins(&self) -> Option<OffsetDateTime> {
        let costs = self
            .changes
            .iter()
            .find(|change| change.micros_per_hour > 0);
        costs.filter(|_| self.spent == 0).map(|change| change.at)
    }

    /// The first change after an instant.
    pub fn next_change(&self, after: OffsetDateTime) -> Option<OffsetDateTime> {
        let later = self.changes.iter().map(|change| change.at);
        later.filter(|at| *at > after).min()
    }

    /// The first microsecond at which so many micros are spent; not before the first instant. `None`:
    /// as far as is known, never.
    pub fn reaches(&self, micros: i64) -> Option<OffsetDateTime> {
        let target = i128::from(micros) * HOUR_MICROSECONDS;
        let (mut spent, mut at, mut rate) = (self.spent, self.from, 0_i128);
        let mut changes = self.changes.iter().peekable();
        loop {
            if spent >= target {
                return Some(at);
            }
            while let Some(change) = changes.next_if(|change| change.at <= at) {
                rate += i128::from(change.micros_per_hour);
            }
            let next = changes.peek().map(|change| change.at);
            let needed = (rate > 0).then(|| ceiling(target - spent, rate));
            let length = next.map(|next| (next - at).whole_microseconds());
            match (needed, next, length) {
                (Some(needed), _, length) if length.is_none_or(|length| needed <= length) => {
                    let needed = i64::try_from(needed).ok()?;
                    return at.checked_add(Duration::microseconds(needed));
                }
                (_, Some(next), Some(length)) => {
                    spent += rate * length;
                    at = next;
                }
                _ => return None,
            }
        }
    }
}

/// `numerator / denominator`, both positive, rounded up.
fn ceiling(numerator: i128, denominator: i128) -> i128 {
    (numerator + denominator - 1) / denominator
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-03-29 0:30 UTC);
    const WARNINGS: Warnings = Warnings {
        low: Duration::DAY,
        last: Duration::minutes(15),
    };

    fn after(microseconds: i64) -> OffsetDateTime {
        START + Duration::microseconds(microseconds)
    }

    fn change(microseconds: i64, micros_per_hour: i64) -> RateChange {
        RateChange {
            at: after(microseconds),
            micros_per_hour,
        }
    }

    #[test]
    fn zero_is_where_the_money_ends() {
        // A dollar an hour, two from the second hour on.
        let hour = 3_600_000_000;
        let changes = vec![change(0, 1_000_000), change(hour, 1_000_000)];
        let spending = Spending::new(START, 0, changes);
        assert_eq!(spending.reaches(500_000), Some(after(hour / 2)));
        assert_eq!(spending.reaches(2_000_000), Some(after(hour + hour / 2)));
        assert_eq!(spending.reaches(0), Some(START));
        assert_eq!(spending.reaches(-5), Some(START), "it owed before");
        assert_eq!(spending.until(after(2 * hour)), Ok(3_000_000));
        assert_eq!(spending.rate_at(after(0)), 1_000_000);
        assert_eq!(spending.rate_at(after(hour)), 2_000_000);
        assert_eq!(spending.next_change(after(1)), Some(after(hour)));
        let idle = Spending::new(START, 0, vec![change(0, 5), change(hour, -5)]);
        assert_eq!(idle.reaches(6), None, "it stops before");
        assert_eq!(idle.reaches(5), Some(after(hour)));
    }

    #[test]
    fn states_follow_from_the_time_that_is_left() {
        for (left, state) in [
            (None, BalanceState::Healthy),
            (Some(Duration::DAY * 2), BalanceState::Healthy),
            (Some(Duration::DAY), BalanceState::Low),
            (
                Some(Duration::minutes(15)),
                BalanceState::AutoReleasePending,
            ),
            (Some(Duration::ZERO), BalanceState::Depleted),
            (Some(Duration::seconds(-1)), BalanceState::Depleted),
        ] {
            assert_eq!(BalanceState::of(left, WARNINGS), state, "{left:?}");
        }
    }

    fn histories() -> impl Strategy<Value = Vec<RateChange>> {
        // Stretches of use, some of which go on.
        let stretch = (
            0..10_000_000_000_i64,
            prop::option::of(1..10_000_000_000_i64),
            0..5_000_000_000_i64,
        );
        prop::collection::vec(stretch, 0..8).prop_map(|stretches| {
            let mut changes = Vec::new();
            for (start, length, rate) in stretches {
                changes.push(change(start, rate));
                if let Some(length) = length {
                    changes.push(change(start + length, -rate));
                }
            }
            changes
        })
    }

    proptest! {
        /// At zero nothing is left, and a microsecond before something was: whoever is stopped there
        /// overspent by less than a microsecond.
        #[test]
        fn zero_is_exact(changes in histories(), given in 1..20_000_000_000_i64) {
            let spending = Spending::new(START, 0, changes);
            if let Some(zero) = spending.reaches(given) {
                prop_assert!(spending.until(zero).expect("fits") >= given);
                let before = zero - Duration::microseconds(1);
                prop_assert!(spending.until(before).expect("fits") <= given);
            } else {
                let end = after(30_000_000_000);
                prop_assert!(spending.until(end).expect("fits") <= given);
                prop_assert_eq!(spending.rate_at(end), 0);
            }
        }

        /// Where the history is cut off, and how its stretches are split, changes nothing.
        #[test]
        fn a_cut_changes_nothing(changes in histories(), cut in 0..20_000_000_000_i64, given in 1..20_000_000_000_i64) {
            let whole = Spending::new(START, 0, changes.clone());
            let cut = after(cut);
            let spent = changes.iter().filter(|change| change.at < cut).map(|change| {
                i128::from(change.micros_per_hour) * (cut - change.at).whole_microseconds()
            });
            let rest = Spending::new(cut, spent.sum(), changes);
            let zero = whole.reaches(given);
            prop_assert_eq!(rest.reaches(given), zero.map(|zero| zero.max(cut)));
            for later in [cut, cut + Duration::HOUR] {
                prop_assert_eq!(rest.until(later), whole.until(later));
                prop_assert_eq!(rest.rate_at(later), whole.rate_at(later));
            }
        }

        /// Whoever looks when told to misses no state.
        #[test]
        fn looks_meet_every_state(seconds in 1..200_000_i64) {
            let mut left = Duration::seconds(seconds);
            let mut looks = 0;
            while left.is_positive() {
                let state = BalanceState::of(Some(left), WARNINGS);
                let pause = WARNINGS.until_next(left);
                prop_assert!(pause.is_positive());
                let almost = left - pause + Duration::nanoseconds(1);
                prop_assert_eq!(BalanceState::of(Some(almost), WARNINGS), state);
                left -= pause;
                looks += 1;
            }
            prop_assert!(looks <= 3);
        }
    }
}
