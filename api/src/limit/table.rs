//! Which limit holds for which class of routes, and what happens when nobody can decide.

use domain::rate::{self, Limit};

use crate::endpoint::RateClass;

/// What becomes of a call that Redis did not decide about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undecided {
    /// This process decides alone, and counts it.
    Local,
    /// It is refused: what it asks for costs money, or opens a door.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) limit: &'static Limit,
    pub(super) undecided: Undecided,
}

/// `None`: not limited. A new class has to be thought about here: there is no default.
pub(super) fn terms(class: RateClass) -> Option<Terms> {
    let open = |limit| Terms {
        limit,
        undecided: Undecided::Local,
    };
    match class {
        // Probes must not fail because somebody else asks too often; these cost next to nothing.
        RateClass::Platform => None,
        RateClass::Read => Some(open(&rate::READ)),
        RateClass::Write => Some(open(&rate::WRITE)),
        RateClass::Provision => Some(open(&rate::PROVISION)),
        RateClass::Credential => Some(open(&rate::CREDENTIAL)),
        RateClass::Terminal => Some(Terms {
            limit: &rate::TERMINAL,
            undecided: Undecided::Refused,
        }),
        RateClass::Probe => Some(open(&rate::PROBE)),
        RateClass::Admin => Some(open(&rate::ADMIN)),
        RateClass::Internal => Some(open(&rate::INTERNAL)),
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray;

    use super::*;

    #[test]
    fn a_class_goes_by_the_name_of_its_limit() {
        for class in RateClass::VARIANTS {
            let name: &'static str = class.into();
            if let Some(terms) = terms(*class) {
                assert_eq!(terms.limit.name, name);
            }
        }
    }

    #[test]
    fn rl_06_tickets_are_closed_and_everything_else_is_open() {
        let closed: Vec<_> = RateClass::VARIANTS
            .iter()
            .filter(|class| terms(**class).is_some_and(|t| t.undecided == Undecided::Refused))
            .collect();
        assert_eq!(closed, [&RateClass::Terminal]);
    }
}
