//! The list of exceptions: `[rule."path"]` tables of text, each with its reason.

use std::collections::BTreeMap;

use super::read;

/// Places that a rule does not (yet) hold in, with the reason.
pub(super) struct Exceptions {
    rule: &'static str,
    reasons: BTreeMap<String, String>,
}

impl Exceptions {
    pub(super) fn of(rule: &'static str) -> Self {
        let all: BTreeMap<String, BTreeMap<String, String>> =
            toml::from_str(&read("tests/tidy_exceptions.toml")).unwrap();
        let reasons = all.get(rule).cloned().unwrap_or_default();
        for (place, reason) in &reasons {
            assert!(reason.len() >= 10, "{rule}: {place} has no reason");
        }
        Self { rule, reasons }
    }

    /// Takes out what is excepted from what was found, and complains of exceptions that nothing
    /// needs any more. `found`: the place (as in the list) and what to print.
    pub(super) fn apply(&self, found: Vec<(String, String)>) -> Vec<String> {
        let mut problems = Vec::new();
        for place in self.reasons.keys() {
            if !found.iter().any(|(at, _)| at == place) {
                problems.push(format!(
                    "{}: the exception for {place} is not needed any more: delete it",
                    self.rule
                ));
            }
        }
        problems.extend(
            found
                .into_iter()
                .filter(|(at, _)| !self.reasons.contains_key(at))
                .map(|(_, what)| what),
        );
        problems
    }
}
