//! `berth partition`: tables that only grow. Converting them to partitions is not built yet.

use clap::Subcommand;
use serde::Deserialize;

use super::exit::{Exit, Result};
use super::group::Run;
use super::list::{Page, Row};
use super::session::Session;
use super::table::Cell;
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show how large they are and what triggers say; fails when one is crossed
    Check,
}

#[derive(Debug, Deserialize)]
struct GuardedTable {
    table: String,
    rows: i64,
    rows_trigger: i64,
    bytes: i64,
    bytes_trigger: i64,
    days_to_trigger: Option<i64>,
    vacuum_lag_seconds: i64,
    verdict: String,
}

impl Row for GuardedTable {
    const HEADINGS: &'static [&'static str] = &[
        "TABLE",
        "ROWS",
        "ROWS TRIGGER",
        "BYTES",
        "BYTES TRIGGER",
        "DAYS LEFT",
        "VACUUM LAG",
        "VERDICT",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.table.clone(),
            self.rows.cell(),
            self.rows_trigger.cell(),
            self.bytes.cell(),
            self.bytes_trigger.cell(),
            self.days_to_trigger.cell(),
            format!("{} s", self.vacuum_lag_seconds),
            self.verdict.clone(),
        ]
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        let Self::Check = self;
        let answer = session.send(&Call::get("admin/data-growth")).await?;
        session.show::<Page<GuardedTable>>(&answer)?;
        let tables: Page<GuardedTable> = answer.json()?;
        let crossed = tables.items().iter().any(|one| one.verdict == "crossed");
        Ok(if crossed { Exit::Failed } else { Exit::Ok })
    }
}
