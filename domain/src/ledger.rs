//! What moves money, and between which accounts.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

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

/// What is left of a credit when it expires: of what the organization has then, the credits that are
/// used up after it keep theirs. All amounts in micros. So nobody loses more than was left, and where
/// an order of use leaves a choice it is the organization's.
pub fn lapses(amount: i64, left: i64, kept_by_others: i64) -> i64 {
    left.saturating_sub(kept_by_others).clamp(0, amount.max(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_used_first_is_what_expires_first() {
        // Ten that expire and ten that stay; so much was used.
        for (used, lapsed) in [(0, 10), (4, 6), (10, 0), (15, 0), (25, 0)] {
            assert_eq!(lapses(10, 20 - used, 10), lapsed, "{used} used");
        }
    }

    proptest! {
        #[test]
        fn nobody_loses_what_he_does_not_have(
            amount in 1..i64::MAX, left in i64::MIN..i64::MAX, kept in 0..i64::MAX,
        ) {
            let lapsed = lapses(amount, left, kept);
            prop_assert!((0..=amount).contains(&lapsed));
            prop_assert!(lapsed == 0 || left - lapsed >= kept);
        }
    }
}
