//! `berth workflow replay`: whether this program goes on with what others began.

use std::time::Duration;

use platform::settings::{Settings, Source};
use worker::replay::{Replayed, lately};

use crate::verbs::console::Console;
use crate::verbs::exit::{Exit, Failure, Result};
use crate::verbs::group::{Connection, Format};
use crate::verbs::table::{Cell as _, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Beside those that run, runs that ended at most so long ago
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = humantime::parse_duration)]
    since: Duration,
    /// At most this many runs, the newest first
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: usize,
}

impl Args {
    pub(super) async fn run(self, connection: &Connection, console: &mut Console) -> Result {
        let file = connection.file()?;
        let unusable = |error: platform::settings::SettingsError| Failure::Usage(error.to_string());
        let source = Source::of_process()
            .map_err(unusable)?
            .or(&Source::of_values(file.values()));
        let settings = Settings::from_source(&source).map_err(unusable)?;
        let look = lately(&settings, self.since, self.limit)
            .await
            .map_err(|error| Failure::NotPossible(format!("{error:#}")))?;
        let runs = &look.runs;
        let failed = runs.iter().filter(|run| run.failure.is_some()).count();
        match connection.format() {
            Format::Json => {
                console.data(&serde_json::to_string(runs).map_err(std::io::Error::from)?)?;
            }
            Format::Table => console.data(&table(runs).render())?,
        }
        let replay = runs.len() - failed;
        console.talk(&format!("{replay} replay, {failed} do not replay."));
        if !look.is_whole {
            console.talk(&format!("There are more than {}: --limit", self.limit));
        }
        Ok(if failed == 0 && look.is_whole {
            Exit::Ok
        } else {
            Exit::Failed
        })
    }
}

fn table(runs: &[Replayed]) -> Table {
    let mut table = Table::columns(&["WORKFLOW", "RUN", "TYPE", "RUNNING", "EVENTS", "FAILURE"]);
    for run in runs {
        table.row([
            run.workflow_id.clone(),
            run.run_id.clone(),
            run.workflow_type.clone(),
            run.is_running.cell(),
            run.event_count.to_string(),
            run.failure.cell(),
        ]);
    }
    table
}
