//! `berth partition`: tables that only grow.

pub(super) mod views;

use clap::Subcommand;
use domain::data_growth::Measure;
use serde::Deserialize;
use serde_json::json;

use self::views::{Archive, Maintenance, Partition, Plan};
use super::exit::{Exit, Result};
use super::group::Run;
use super::list::{Page, PageArgs, Row};
use super::session::Session;
use super::table::Cell;
use super::wait::{KeyArgs, WaitArgs, conclude};
use super::{body, id};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show how large they are and what triggers say; fails when one is crossed and nobody converts it
    Check,
    /// Show their partitions
    List {
        /// Of one table
        #[arg(long, value_name = "NAME")]
        table: Option<String>,
    },
    /// Show what the next maintenance would do, what that locks and how it is taken back
    Plan,
    /// Do now what the schedule does once a day
    Maintain(Args),
    /// Show partitions that lie in the object store, newest first
    Archives {
        /// Of one table
        #[arg(long, value_name = "NAME")]
        table: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Read an archive back, whether it is what it was
    Verify(ArchiveArgs),
    /// Bring an archive back into the database
    Restore(ArchiveArgs),
    /// Show runs of the maintenance, newest first
    Runs(PageArgs),
    /// Show what one of them did
    Run {
        #[arg(value_name = "MAINTENANCE", value_parser = id::maintenance)]
        id: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this table
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// Convert what is not partitioned, whatever its size is
    #[arg(long)]
    convert: bool,
    /// Why, for the audit log; one line
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ArchiveArgs {
    #[arg(value_name = "ARCHIVE", value_parser = id::archive)]
    id: String,
    /// Why, for the audit log; one line
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    wait: WaitArgs,
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
    form: String,
    verdict: String,
    crossed: Vec<Measure>,
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
        "FORM",
        "VERDICT",
        "CROSSED",
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
            self.form.clone(),
            self.verdict.clone(),
            self.crossed
                .iter()
                .map(|one| one.as_str())
                .collect::<Vec<_>>()
                .join(" "),
        ]
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::Check => check(session).await,
            Self::List { table } => {
                let call = Call::get("admin/partitions").with_query("table", table);
                session.call::<Page<Partition>>(&call).await
            }
            Self::Plan => session.get::<Plan>("admin/partitions:plan").await,
            Self::Maintain(args) => args.run(session).await,
            Self::Archives { table, page } => {
                let call = page
                    .apply(Call::get("admin/archives"))
                    .with_query("table", table);
                session.call::<Page<Archive>>(&call).await
            }
            Self::Verify(args) => args.run(session, "verify").await,
            Self::Restore(args) => args.run(session, "restore").await,
            Self::Runs(page) => {
                let call = page.apply(Call::get("admin/maintenances"));
                session.call::<Page<Maintenance>>(&call).await
            }
            Self::Run { id } => {
                let path = format!("admin/maintenances/{id}");
                session.get::<Maintenance>(&path).await
            }
        }
    }
}

impl Args {
    async fn run(self, session: &mut Session<'_>) -> Result {
        let body = body([
            ("table", self.table.map(|table| json!(table))),
            ("convert", Some(json!(self.convert))),
            ("reason", Some(json!(self.reason))),
        ]);
        let call = Call::post("admin/partitions:maintain", self.key.key()).with_body(body);
        let accepted = session.send(&call).await?;
        conclude::<Maintenance>(session, &accepted, &self.wait).await
    }
}

impl ArchiveArgs {
    async fn run(self, session: &mut Session<'_>, verb: &str) -> Result {
        let path = format!("admin/archives/{}:{verb}", self.id);
        let body = json!({"reason": self.reason});
        let call = Call::post(&path, self.key.key()).with_body(body);
        let accepted = session.send(&call).await?;
        conclude::<Maintenance>(session, &accepted, &self.wait).await
    }
}

impl GuardedTable {
    /// A trigger is crossed, and no conversion that is under way has begun to bring it back. What
    /// vacuum lags behind, no conversion brings back.
    fn calls(&self) -> bool {
        let mut crossed = self.crossed.iter();
        crossed.any(|one| !one.is_growth() || self.form != "bound")
    }
}

async fn check(session: &mut Session<'_>) -> Result {
    let answer = session.send(&Call::get("admin/data-growth")).await?;
    session.show::<Page<GuardedTable>>(&answer)?;
    let tables: Page<GuardedTable> = answer.json()?;
    let crossed = tables.items().iter().any(GuardedTable::calls);
    Ok(if crossed { Exit::Failed } else { Exit::Ok })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crossed_trigger_calls_until_somebody_converts() {
        let table = |form: &str, crossed: &[&str]| {
            let table: GuardedTable = serde_json::from_value(json!({
                "table": "usage_records", "rows": 1, "rows_trigger": 1, "bytes": 1, "bytes_trigger": 1,
                "days_to_trigger": null, "vacuum_lag_seconds": 0, "form": form, "verdict": "", "crossed": crossed,
            }))
            .unwrap();
            table.calls()
        };
        for form in ["plain", "bound", "converted"] {
            assert!(!table(form, &[]), "{form}");
            assert!(table(form, &["vacuum_lag_seconds"]), "{form}");
        }
        assert!(table("plain", &["rows", "freeze_age"]));
        assert!(!table("bound", &["rows"]));
        assert!(table("bound", &["rows", "freeze_age"]));
    }
}
