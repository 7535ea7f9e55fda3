//! From when on a table that only grows is too large, too fast, too old or not looked after.

use super::{Policy, Unit};
use crate::data_growth::{Guarded, Measure};

macro_rules! of_table {
    ($table:literal) => {
        [
            Policy {
                key: concat!("data_growth.", $table, "_rows_trigger"),
                unit: Unit::Count,
                min: 1_000,
                max: 1_000_000_000_000,
                default: 10_000_000,
                text: concat!(
                    "Rows of `",
                    $table,
                    "` from which it is converted to partitions."
                ),
            },
            Policy {
                key: concat!("data_growth.", $table, "_bytes_trigger"),
                unit: Unit::Count,
                min: 1_000_000,
                max: 1_000_000_000_000_000,
                default: 50_000_000_000,
                text: concat!(
                    "Bytes of `",
                    $table,
                    "`, indexes included, from which it is converted to partitions."
                ),
            },
            Policy {
                key: concat!("data_growth.", $table, "_rows_per_day_trigger"),
                unit: Unit::Count,
                min: 0,
                max: 1_000_000_000_000,
                default: 1_000_000,
                text: concat!(
                    "New rows a day of `",
                    $table,
                    "` from which it is converted to partitions; 0: never."
                ),
            },
            Policy {
                key: concat!("data_growth.", $table, "_oldest_trigger_seconds"),
                unit: Unit::Seconds,
                min: 0,
                max: 3_153_600_000,
                default: 0,
                text: concat!(
                    "Age of the oldest row of `",
                    $table,
                    "` from which it is converted to partitions; 0: never."
                ),
            },
            Policy {
                key: concat!("data_growth.", $table, "_vacuum_lag_trigger_seconds"),
                unit: Unit::Seconds,
                min: 60,
                max: 31_536_000,
                default: 604_800,
                text: concat!("For how long `", $table, "` may go without a vacuum."),
            },
            Policy {
                key: concat!("data_growth.", $table, "_freeze_age_trigger"),
                unit: Unit::Count,
                min: 1_000_000,
                max: 2_000_000_000,
                default: 500_000_000,
                text: concat!(
                    "How many transactions ago the oldest row of `",
                    $table,
                    "` that is not frozen may be."
                ),
            },
        ]
    };
}

/// By table, as in [`Guarded::ALL`], and by what is measured, as in [`Measure::ALL`].
pub static TRIGGERS: [[Policy; Measure::ALL.len()]; Guarded::ALL.len()] = [
    of_table!("usage_records"),
    of_table!("ledger_entries"),
    of_table!("audit_logs"),
    of_table!("outbox_events"),
    of_table!("workflow_intents"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_where_its_name_says() {
        for (table, policies) in Guarded::ALL.iter().zip(&TRIGGERS) {
            for (measure, policy) in Measure::ALL.iter().zip(policies) {
                let stem = format!("data_growth.{table}_{measure}");
                let stem = stem.trim_end_matches("_seconds");
                assert!(
                    policy.key.starts_with(&format!("{stem}_trigger")),
                    "{}",
                    policy.key
                );
            }
        }
    }
}
