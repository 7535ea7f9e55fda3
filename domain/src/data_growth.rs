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

/// What is measured of a table, and can be too much.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    IntoStaticStr,
    VariantArray,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Measure {
    Rows,
    /// With indexes and what is stored beside.
    Bytes,
    RowsPerDay,
    /// The age of its oldest row.
    OldestSeconds,
    /// Since it was vacuumed last, or since it was made.
    VacuumLagSeconds,
    /// In transactions, of its oldest row that is not frozen.
    FreezeAge,
}

impl Measure {
    pub const ALL: &'static [Self] = Self::VARIANTS;

    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether partitions are the answer to too much of it. The others are about vacuum.
    pub fn is_growth(self) -> bool {
        match self {
            Self::Rows | Self::Bytes | Self::RowsPerDay | Self::OldestSeconds => true,
            Self::VacuumLagSeconds | Self::FreezeAge => false,
        }
    }

    fn place(self) -> usize {
        self as usize
    }
}

/// How large a table is, and how well it is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// As the server's statistics estimate.
    pub rows: i64,
    pub bytes: i64,
    /// Since the samples of the last week began, or on average since the oldest row.
    pub rows_per_day: i64,
    /// 0: there is no row.
    pub oldest_seconds: i64,
    pub vacuum_lag_seconds: i64,
    pub freeze_age: i64,
    /// It is made of partitions: how much they hold together is nobody's business any more.
    pub partitioned: bool,
}

/// From when on a table's measures are too much; 0: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Triggers([i64; Measure::ALL.len()]);

impl Triggers {
    /// Where those of a table are kept.
    pub fn policies(table: Guarded) -> &'static [Policy; Measure::ALL.len()] {
        &policy::TRIGGERS[table as usize]
    }

    /// From the values of [`Self::policies`], in that order.
    pub fn from_values(values: [i64; Measure::ALL.len()]) -> Self {
        Self(values)
    }

    pub fn of(&self, measure: Measure) -> i64 {
        self.0[measure.place()]
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
    pub fn of(&self, measure: Measure) -> i64 {
        match measure {
            Measure::Rows => self.rows,
            Measure::Bytes => self.bytes,
            Measure::RowsPerDay => self.rows_per_day,
            Measure::OldestSeconds => self.oldest_seconds,
            Measure::VacuumLagSeconds => self.vacuum_lag_seconds,
            Measure::FreezeAge => self.freeze_age,
        }
    }

    /// Whether there is too much of something.
    pub fn has_crossed(&self, measure: Measure, triggers: &Triggers) -> bool {
        self.reaches(measure, triggers.of(measure))
            // What holds next to nothing needs no vacuum.
            && (measure.is_growth() || self.rows >= triggers.of(Measure::Rows) / 1_000)
    }

    fn reaches(&self, measure: Measure, limit: i64) -> bool {
        limit > 0 && self.of(measure) >= limit && !(self.partitioned && measure.is_growth())
    }

    /// Size comes first: a table that is too large is what makes vacuum late.
    pub fn verdict(&self, triggers: &Triggers) -> Verdict {
        let any = |is: &dyn Fn(Measure) -> bool| Measure::ALL.iter().any(|one| is(*one));
        let crossed = |one| self.has_crossed(one, triggers);
        if any(&|one: Measure| one.is_growth() && crossed(one)) {
            Verdict::Crossed
        } else if any(&crossed) {
            Verdict::Neglected
        } else if any(&|one: Measure| one.is_growth() && self.reaches(one, triggers.of(one) / 2)) {
            Verdict::Near
        } else {
            Verdict::Well
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIGGERS: Triggers = Triggers([1_000_000, 1_000_000_000, 10_000, 0, 86_400, 500_000_000]);

    #[test]
    fn the_worst_of_a_table_is_said() {
        let size = |rows, bytes, lag, age| Size {
            rows,
            bytes,
            rows_per_day: 0,
            // Its trigger is off.
            oldest_seconds: i64::MAX,
            vacuum_lag_seconds: lag,
            freeze_age: age,
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
    fn each_measure_has_a_trigger_of_its_own() {
        let well = Size {
            rows: 2_000,
            bytes: 0,
            rows_per_day: 0,
            oldest_seconds: 0,
            vacuum_lag_seconds: 0,
            freeze_age: 0,
            partitioned: false,
        };
        let triggers = Triggers([1_000_000, 1_000, 100, 500, 60, 70]);
        let with = |measure, value| {
            let mut size = well;
            *match measure {
                Measure::Rows => &mut size.rows,
                Measure::Bytes => &mut size.bytes,
                Measure::RowsPerDay => &mut size.rows_per_day,
                Measure::OldestSeconds => &mut size.oldest_seconds,
                Measure::VacuumLagSeconds => &mut size.vacuum_lag_seconds,
                Measure::FreezeAge => &mut size.freeze_age,
            } = value;
            size
        };
        for measure in Measure::ALL.iter().copied() {
            let limit = triggers.of(measure);
            let verdict = |value| with(measure, value).verdict(&triggers);
            let (crossed, near) = if measure.is_growth() {
                (Verdict::Crossed, Verdict::Near)
            } else {
                (Verdict::Neglected, Verdict::Well)
            };
            assert_eq!(verdict(limit), crossed, "{measure}");
            assert_eq!(verdict(limit - 1), near, "{measure}");
            assert_eq!(verdict(limit / 2), near, "{measure}");
            assert_eq!(verdict(limit / 2 - 1), Verdict::Well, "{measure}");
            let all = Measure::ALL.iter().copied();
            let crossed: Vec<Measure> = all
                .filter(|one| with(measure, limit).has_crossed(*one, &triggers))
                .collect();
            assert_eq!(crossed, [measure]);
        }
    }

    #[test]
    fn tables_go_by_their_names() {
        for table in Guarded::ALL {
            assert_eq!(table.as_str().parse(), Ok(*table));
        }
    }
}
