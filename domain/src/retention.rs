//! What is kept for a while and then forgotten. Tables that only grow are not among it where they are
//! partitioned: their partitions go whole.

use strum::{EnumString, IntoStaticStr, VariantArray};
use time::Duration;

use crate::data_growth::Guarded;
use crate::policy::{self, Policy};

/// Rows that are of no use any more after a time.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Forgotten {
    /// Records that answer for their keys no longer.
    IdempotencyKeys,
    /// Tickets that were used.
    TerminalSessions,
    /// Sessions of browsers that are over.
    BrowserSessions,
    /// Dead letters that were sent again.
    DeadLetters,
    /// Events that were handed on, while their table is plain.
    OutboxEvents,
    /// Intents that were delivered, while their table is plain.
    WorkflowIntents,
}

impl Forgotten {
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The table's name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// How long after its end a row stays.
    pub fn policy(self) -> &'static Policy {
        match self {
            Self::IdempotencyKeys => &policy::IDEMPOTENCY_KEYS_KEPT,
            Self::TerminalSessions => &policy::TERMINAL_SESSIONS_KEPT,
            Self::BrowserSessions => &policy::BROWSER_SESSIONS_KEPT,
            Self::DeadLetters => &policy::DEAD_LETTERS_KEPT,
            Self::OutboxEvents => &policy::OUTBOX_EVENTS_KEPT,
            Self::WorkflowIntents => &policy::WORKFLOW_INTENTS_KEPT,
        }
    }

    /// The table that only grows which it is.
    pub fn guarded(self) -> Option<Guarded> {
        match self {
            Self::OutboxEvents => Some(Guarded::OutboxEvents),
            Self::WorkflowIntents => Some(Guarded::WorkflowIntents),
            Self::IdempotencyKeys
            | Self::TerminalSessions
            | Self::BrowserSessions
            | Self::DeadLetters => None,
        }
    }

    /// The same by the value of [`Self::policy`]; `None`: for good, as 0 says of tables that only grow.
    pub fn kept(self, seconds: i64) -> Option<Duration> {
        match self.guarded() {
            Some(table) => table.kept(seconds),
            None => Some(Duration::seconds(seconds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_for_good_but_what_says_so() {
        for one in Forgotten::ALL.iter().copied() {
            let whole = Duration::seconds(86_400);
            assert_eq!(one.kept(86_400), Some(whole), "{one}");
            let for_good = one.kept(0).is_none();
            assert_eq!(for_good, one.guarded().is_some(), "{one}");
        }
    }
}
