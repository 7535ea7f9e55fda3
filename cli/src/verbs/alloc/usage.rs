//! `berth alloc usage`

use serde::Deserialize;

use crate::client::Call;
use crate::verbs::exit::Result;
use crate::verbs::id;
use crate::verbs::list::{Page, PageArgs, Row};
use crate::verbs::session::Session;
use crate::verbs::table::Cell;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_name = "ALLOCATION", value_parser = id::allocation)]
    id: String,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Deserialize)]
struct Interval {
    meter: String,
    quantity: u32,
    started_at: String,
    #[serde(default)]
    ended_at: Option<String>,
    duration_seconds: i64,
}

impl Row for Interval {
    const HEADINGS: &'static [&'static str] = &["METER", "GPUS", "FROM", "TO", "SECONDS"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.meter.clone(),
            self.quantity.cell(),
            self.started_at.clone(),
            self.ended_at.cell(),
            self.duration_seconds.cell(),
        ]
    }
}

pub(super) async fn run(args: Args, session: &mut Session<'_>) -> Result {
    let call = Call::get(&format!("allocations/{}/usage", args.id));
    session.call::<Page<Interval>>(&args.page.apply(call)).await
}
