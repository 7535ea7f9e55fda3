//! Whether an organization can pay for what it asks for.

use crate::balance::Terms;
use crate::reason::Code;

/// What an organization has for something that it asks for, in micros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Funds {
    pub terms: Terms,
    /// Its balance has ended, and everything is being released.
    pub depleted: bool,
    /// What is left, less what is kept for others that are let in and do not run yet.
    pub free_micros: i64,
    /// What the start of it costs.
    pub start_micros: i64,
    /// `None`: no cap.
    pub spend_cap_micros_per_hour: Option<i64>,
    /// What runs and what is let in costs an hour.
    pub others_micros_per_hour: i64,
    /// What it costs an hour.
    pub micros_per_hour: i64,
}

impl Funds {
    /// Why it is not let in. Nothing is let in that would be stopped at once.
    pub fn lacking(&self) -> Option<Code> {
        let hour = self
            .others_micros_per_hour
            .saturating_add(self.micros_per_hour);
        let cap = self.spend_cap_micros_per_hour;
        if self.micros_per_hour > 0 && cap.is_some_and(|cap| hour > cap) {
            return Some(Code::spend_cap_exceeded());
        }
        let covered = match self.micros_per_hour {
            0 => !self.depleted || self.free_micros > 0,
            _ => self.free_micros >= self.start_micros.max(1),
        };
        (self.terms == Terms::Prepaid && !covered).then(Code::insufficient_balance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_must_be_covered() {
        let funds = Funds {
            terms: Terms::Prepaid,
            depleted: false,
            free_micros: 10,
            start_micros: 10,
            spend_cap_micros_per_hour: Some(7),
            others_micros_per_hour: 4,
            micros_per_hour: 3,
        };
        assert_eq!(funds.lacking(), None);
        let dear = Funds {
            micros_per_hour: 4,
            ..funds
        };
        assert_eq!(dear.lacking(), Some(Code::spend_cap_exceeded()));
        let free = Funds {
            micros_per_hour: 0,
            start_micros: 0,
            free_micros: 0,
            ..funds
        };
        assert_eq!(free.lacking(), None, "what is free needs no money");
        let ended = Funds {
            depleted: true,
            ..free
        };
        assert_eq!(ended.lacking(), Some(Code::insufficient_balance()));
        for (free_micros, start_micros) in [(9, 10), (0, 0), (-1, 0)] {
            let poor = Funds {
                free_micros,
                start_micros,
                ..funds
            };
            assert_eq!(poor.lacking(), Some(Code::insufficient_balance()));
            let trusted = Funds {
                terms: Terms::Invoiced,
                ..poor
            };
            assert_eq!(trusted.lacking(), None);
        }
    }
}
