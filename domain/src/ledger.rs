//! What moves money, and between which accounts.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};
use time::OffsetDateTime;

/// Why money moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// An invoice.
    Charge,
    /// A credit note.
    Reversal,
    /// An operator gave it.
    Credit,
    /// What was left of a credit.
    Expiry,
    /// The organization paid.
    Payment,
    /// A payment went back.
    Refund,
}

/// One of the accounts of an organization. Receivable is what it has, or owes; every other one is where
/// that came from or went to.
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
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Account {
    Receivable,
    Revenue,
    Rounding,
    Credits,
    Payments,
}

/// Money that came in: a credit, or a payment less what went back of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fund {
    pub at: OffsetDateTime,
    /// Use is paid from the lowest first, then from what expires first, then from what came first.
    pub priority: i32,
    /// `None`: it stays.
    pub expires_at: Option<OffsetDateTime>,
    pub micros: i64,
}

/// Instants, up to `at`, between which every fund that is there stays there: where use has to be known
/// for [`left_of`].
pub fn cuts(funds: &[Fund], at: OffsetDateTime) -> Vec<OffsetDateTime> {
    let arrivals = funds.iter().map(|fund| fund.at);
    let ends = funds.iter().filter_map(|fund| fund.expires_at);
    let mut cuts: Vec<_> = arrivals.chain(ends).filter(|cut| *cut < at).collect();
    cuts.push(at);
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// What is left of one fund at the last of the instants, in micros: all that was used is paid in the
/// order of time, from the funds that were there then. What no fund covered is paid from the next.
/// `used`: at each of the [`cuts`], how much was used up to it.
pub fn left_of(funds: &[Fund], which: usize, used: &[(OffsetDateTime, i64)]) -> i64 {
    let mut left = vec![0; funds.len()];
    let mut order: Vec<usize> = (0..funds.len()).collect();
    order.sort_by_key(|index| {
        let fund = &funds[*index];
        let expires = fund.expires_at.map_or((true, fund.at), |at| (false, at));
        (fund.priority, expires, fund.at)
    });
    let (mut owed, mut before) = (0_i64, 0_i64);
    for (number, (at, total)) in used.iter().enumerate() {
        owed += total - before;
        before = *total;
        pay(&mut owed, &mut left, &order);
        if number + 1 == used.len() {
            break;
        }
        for (fund, left) in funds.iter().zip(&mut left) {
            if fund.expires_at == Some(*at) {
                *left = 0;
            }
            if fund.at == *at {
                *left = fund.micros;
            }
        }
        pay(&mut owed, &mut left, &order);
    }
    left.get(which).copied().unwrap_or_default()
}

fn pay(owed: &mut i64, left: &mut [i64], order: &[usize]) {
    for index in order {
        let paid = left[*index].min(*owed).max(0);
        left[*index] -= paid;
        *owed -= paid;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::Duration;

    use super::*;

    fn at(second: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::seconds(second)
    }

    fn fund(second: i64, priority: i32, expires: Option<i64>, micros: i64) -> Fund {
        Fund {
            at: at(second),
            priority,
            expires_at: expires.map(at),
            micros,
        }
    }

    /// Use of one micro a second within a stretch.
    fn left(funds: &[Fund], which: usize, until: i64, stretch: (i64, i64)) -> i64 {
        let used = |cut: OffsetDateTime| {
            let cut = cut.unix_timestamp();
            (cut.min(stretch.1) - stretch.0).max(0)
        };
        let cuts = cuts(funds, at(until));
        let used: Vec<_> = cuts.into_iter().map(|cut| (cut, used(cut))).collect();
        left_of(funds, which, &used)
    }

    #[test]
    fn what_was_there_pays_for_what_was_used_then() {
        // A payment that was used up long before the credit came keeps nothing of it.
        let paid = [fund(0, i32::MAX, None, 100), fund(200, 100, Some(300), 50)];
        assert_eq!(left(&paid, 1, 300, (0, 100)), 50);
        // Forty of a credit are gone when one comes that is used before it.
        let later = [fund(0, 100, Some(300), 50), fund(100, 0, None, 50)];
        assert_eq!(left(&later, 0, 300, (10, 50)), 10);
        assert_eq!(left(&later, 0, 300, (10, 40)), 20);
        // From then on the other one pays.
        assert_eq!(left(&later, 0, 300, (90, 120)), 40);
        // What nobody had paid for is taken from what comes next.
        let late = [fund(100, 100, Some(300), 50)];
        assert_eq!(left(&late, 0, 300, (0, 30)), 20);
        assert_eq!(left(&late, 0, 300, (0, 80)), 0);
        // What has expired pays for nothing.
        let two = [fund(0, 100, Some(10), 50), fund(0, 200, Some(300), 50)];
        assert_eq!(left(&two, 1, 300, (20, 40)), 30);
    }

    proptest! {
        /// Whatever came when: nobody loses more than he had of it, and what is left of everything,
        /// with what has expired, is what came less what was used.
        #[test]
        fn nothing_is_lost_twice(
            funds in prop::collection::vec((0..100_i64, 0..3_i32, prop::option::of(1..100_i64), 1..60_i64), 1..6),
            stretch in (0..100_i64, 0..100_i64),
        ) {
            let funds: Vec<_> = funds
                .into_iter()
                .map(|(second, priority, life, micros)| fund(second, priority, life.map(|life| second + life), micros))
                .collect();
            let until = 1_000;
            let stretch = (stretch.0, stretch.0 + stretch.1);
            let mut kept = 0;
            let mut lapsed = 0;
            for (index, one) in funds.iter().enumerate() {
                let end = one.expires_at.map_or(until, OffsetDateTime::unix_timestamp);
                let left = left(&funds, index, end, stretch);
                prop_assert!((0..=one.micros).contains(&left));
                if one.expires_at.is_some() { lapsed += left } else { kept += left }
            }
            let came: i64 = funds.iter().map(|one| one.micros).sum();
            let used = stretch.1 - stretch.0;
            prop_assert!(kept + lapsed <= came);
            prop_assert!(kept + lapsed >= came - used);
        }
    }
}
