//! Tables that only grow, and when that becomes somebody's business.

use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::policy::{self, Policy};

/// A table that only grows.
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
pub enum Guarded {
    UsageRecords,
    LedgerEntries,
    AuditLogs,
    OutboxEvents,
    WorkflowIntents,
}

impl Guarded {
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The table's name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How large a table is, and how well it is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// As the server's statistics estimate.
    pub rows: i64,
    /// With indexes and what is stored beside.
    pub bytes: i64,
    /// Since it was vacuumed last, or since it was made.
    pub vacuum_lag_seconds: i64,
    /// Transactions since its oldest unfrozen row.
    pub frozen_transactions_ago: i64,
    /// It is made of partitions: how much they hold together is nobody's business any more.
    pub partitioned: bool,
}

/// What is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Triggers {
    pub rows: i64,
    pub bytes: i64,
    pub vacuum_lag_seconds: i64,
    pub frozen_transactions_ago: i64,
}

impl Triggers {
    /// Where they are kept.
    pub const POLICIES: [&'static Policy; 4] = [
        &policy::DATA_ROWS_TRIGGER,
        &policy::DATA_BYTES_TRIGGER,
        &policy::DATA_VACUUM_LAG,
        &policy::DATA_FREEZE_AGE,
    ];

    /// From the values of [`Self::POLICIES`], in that order.
    pub fn from_values(
        [rows, bytes, vacuum_lag_seconds, frozen_transactions_ago]: [i64; 4],
    ) -> Self {
        Self {
            rows,
            bytes,
            vacuum_lag_seconds,
            frozen_transactions_ago,
        }
    }
}

/// What is to be said of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, IntoStaticStr, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Verdict {
    Well,
    /// At least half of a trigger.
    Near,
    /// It is time to convert it to partitions.
    Crossed,
    /// It is not vacuumed, or not frozen, as it should be.
    Neglected,
}

impl Size {
    /// Size comes first: a table that is too large is what makes vacuum late.
    pub fn verdict(&self, triggers: &Triggers) -> Verdict {
        let sizes = [(self.rows, triggers.rows), (self.bytes, triggers.bytes)];
        if !self.partitioned && sizes.iter().any(|(size, trigger)| size >= trigger) {
            return Verdict::Crossed;
        }
        let late = self.vacuum_lag_seconds >= triggers.vacuum_lag_seconds
            || self.frozen_transactions_ago >= triggers.frozen_transactions_ago;
        // What holds next to nothing needs no vacuum.
        if late && self.rows >= triggers.rows / 1_000 {
            return Verdict::Neglected;
        }
        let near = |(size, trigger): &(i64, i64)| *size >= trigger / 2;
        if !self.partitioned && sizes.iter().any(near) {
            return Verdict::Near;
        }
        Verdict::Well
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIGGERS: Triggers = Triggers {
        rows: 1_000_000,
        bytes: 1_000_000_000,
        vacuum_lag_seconds: 86_400,
        frozen_transactions_ago: 500_000_000,
    };

    #[test]
    fn the_worst_of_a_table_is_said() {
        let size = |rows, bytes, lag, age| Size {
            rows,
            bytes,
            vacuum_lag_seconds: lag,
            frozen_transactions_ago: age,
            partitioned: false,
        };
        for (size, verdict) in [
            (size(0, 0, 0, 0), Verdict::Well),
            (size(10, 0, 9_000_000, 0), Verdict::Well),
            (size(499_999, 0, 0, 0), Verdict::Well),
            (size(500_000, 0, 0, 0), Verdict::Near),
            (size(0, 500_000_000, 0, 0), Verdict::Near),
            (size(2_000, 0, 86_400, 0), Verdict::Neglected),
            (size(2_000, 0, 0, 500_000_000), Verdict::Neglected),
            (size(600_000, 0, 86_400, 0), Verdict::Neglected),
            (size(1_000_000, 0, 0, 0), Verdict::Crossed),
            (size(0, 1_000_000_000, 86_400, 0), Verdict::Crossed),
        ] {
            assert_eq!(size.verdict(&TRIGGERS), verdict, "{size:?}");
            let partitioned = Size {
                partitioned: true,
                ..size
            };
            let of_vacuum = partitioned.verdict(&TRIGGERS);
            assert!(
                matches!(of_vacuum, Verdict::Well | Verdict::Neglected),
                "{size:?}"
            );
        }
    }

    #[test]
    fn tables_go_by_their_names() {
        for table in Guarded::ALL {
            assert_eq!(table.as_str().parse(), Ok(*table));
        }
    }
}
