//! Partitions of tables that only grow: how much one holds, which ones there have to be, and which
//! have served their time.

mod plan;

pub use self::plan::Step;

use strum::{EnumString, FromRepr, IntoStaticStr, VariantArray};
use time::{Date, Duration, OffsetDateTime, Time, UtcOffset};

use crate::audit_chain::Proof;
use crate::data_growth::Guarded;
use crate::policy::{self, Policy};

/// How far ahead a bound is at least.
const BOUND_LEAST: Duration = Duration::days(4);
/// A bound that is nearer is moved: the maintenance comes by once a day, and may fail.
const BOUND_NEAR: Duration = Duration::hours(60);

/// How much a partition holds. Each begins and ends at midnight, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRepr, VariantArray)]
#[repr(i64)]
pub enum Interval {
    Day = 0,
    /// From a Monday on.
    Week = 1,
    Month = 2,
}

impl Interval {
    /// The first edge after an instant.
    pub fn edge_after(self, at: OffsetDateTime) -> OffsetDateTime {
        let day = at.to_offset(UtcOffset::UTC).date();
        let next = match self {
            Self::Day => day.next_day(),
            Self::Week => {
                let passed = i64::from(day.weekday().number_days_from_monday());
                day.checked_add(Duration::days(7 - passed))
            }
            Self::Month => {
                let first = day.replace_day(1).ok();
                first.and_then(|first| {
                    let length = first.month().length(first.year());
                    first.checked_add(Duration::days(length.into()))
                })
            }
        };
        midnight(next.unwrap_or(Date::MAX))
    }

    /// Where the rows of a table that is converted now are bound to end: at least one whole interval
    /// and four days ahead, so that there is time to finish before anybody runs into it.
    pub fn bound(self, now: OffsetDateTime) -> OffsetDateTime {
        let mut bound = self.edge_after(self.edge_after(now));
        while bound - now < BOUND_LEAST {
            bound = self.edge_after(bound);
        }
        bound
    }

    /// Whether a bound is so near that converting begins again with a later one.
    pub fn is_near(self, bound: OffsetDateTime, now: OffsetDateTime) -> bool {
        let whole = self.edge_after(bound) - bound;
        bound - now < BOUND_NEAR.max(whole / 2)
    }

    /// Where partitions begin and end that have to be added behind `until`: as many as make `ahead`
    /// that begin after now.
    pub fn missing(
        self,
        until: OffsetDateTime,
        ahead: usize,
        now: OffsetDateTime,
    ) -> Vec<(OffsetDateTime, OffsetDateTime)> {
        let mut goal = self.edge_after(now);
        for _ in 0..ahead {
            goal = self.edge_after(goal);
        }
        let mut missing = Vec::new();
        let mut since = until;
        while since < goal {
            let next = self.edge_after(since);
            missing.push((since, next));
            since = next;
        }
        missing
    }
}

fn midnight(day: Date) -> OffsetDateTime {
    day.with_time(Time::MIDNIGHT).assume_utc()
}

/// Use, money and the audit log stay for this long at least: billing, disputes and reviews look back.
const RECORDS_KEPT_LEAST: Duration = Duration::days(93);

/// The settings of a table.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub interval: &'static Policy,
    pub ahead: &'static Policy,
    pub kept: &'static Policy,
    pub archive: Archiving,
}

/// Whether a partition has to be proved to lie elsewhere before it leaves the database.
#[derive(Debug, Clone, Copy)]
pub enum Archiving {
    Always,
    /// Where this is 1: its rows were handed on, and are kept by others.
    If(&'static Policy),
}

impl Guarded {
    /// Where its settings are kept.
    pub fn settings(self) -> Settings {
        let (interval, ahead, kept) = match self {
            Self::UsageRecords => (
                &policy::USAGE_RECORDS_INTERVAL,
                &policy::USAGE_RECORDS_AHEAD,
                &policy::USAGE_RECORDS_KEPT,
            ),
            Self::LedgerEntries => (
                &policy::LEDGER_ENTRIES_INTERVAL,
                &policy::LEDGER_ENTRIES_AHEAD,
                &policy::LEDGER_ENTRIES_KEPT,
            ),
            Self::AuditLogs => (
                &policy::AUDIT_LOGS_INTERVAL,
                &policy::AUDIT_LOGS_AHEAD,
                &policy::AUDIT_LOGS_KEPT,
            ),
            Self::OutboxEvents => (
                &policy::OUTBOX_EVENTS_INTERVAL,
                &policy::OUTBOX_EVENTS_AHEAD,
                &policy::OUTBOX_EVENTS_KEPT,
            ),
            Self::WorkflowIntents => (
                &policy::WORKFLOW_INTENTS_INTERVAL,
                &policy::WORKFLOW_INTENTS_AHEAD,
                &policy::WORKFLOW_INTENTS_KEPT,
            ),
        };
        let archive = match self {
            Self::UsageRecords | Self::LedgerEntries | Self::AuditLogs => Archiving::Always,
            Self::OutboxEvents => Archiving::If(&policy::OUTBOX_EVENTS_ARCHIVE),
            Self::WorkflowIntents => Archiving::If(&policy::WORKFLOW_INTENTS_ARCHIVE),
        };
        Settings {
            interval,
            ahead,
            kept,
            archive,
        }
    }

    /// How long after its end a partition stays, by the value of [`Settings::kept`]; `None`: for good.
    pub fn kept(self, seconds: i64) -> Option<Duration> {
        let asked = Duration::seconds(seconds);
        let least = match self.settings().archive {
            Archiving::Always => RECORDS_KEPT_LEAST,
            Archiving::If(_) => Duration::ZERO,
        };
        (!asked.is_zero()).then(|| asked.max(least))
    }
}

/// What a run of the maintenance is for.
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
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Task {
    /// Whatever is due.
    Maintain,
    /// That, and the tables are converted whatever their size is.
    Convert,
    /// An archive becomes a partition again.
    Restore,
    /// An archive is read back, whether it is what it was.
    Verify,
    /// The chains of the audit log are proved.
    Audit,
}

impl Task {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How a run of the maintenance ended.
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
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    Succeeded,
    /// A step failed for good with at least one of the tables.
    Failed,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Of all that was done.
    pub fn of(reports: &[Report]) -> Self {
        if reports.iter().any(|report| report.failed.is_some()) {
            Self::Failed
        } else {
            Self::Succeeded
        }
    }
}

/// What a run did to one table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    pub table: Guarded,
    pub converted: bool,
    /// Partitions that were made.
    pub added: Vec<String>,
    /// Partitions that were proved to lie in the object store.
    #[serde(default)]
    pub archived: Vec<String>,
    /// Partitions that left the database.
    pub dropped: Vec<String>,
    /// Partitions that came back from their archives.
    #[serde(default)]
    pub restored: Vec<String>,
    /// What is wrong with the chains of the audit log; `None`: nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Proof>,
    /// The step that failed for good, and why.
    pub failed: Option<String>,
}

impl Report {
    pub fn new(table: Guarded) -> Self {
        Self {
            table,
            converted: false,
            added: Vec::new(),
            archived: Vec::new(),
            dropped: Vec::new(),
            restored: Vec::new(),
            audit: None,
            failed: None,
        }
    }
}

#[cfg(test)]
mod tests;
