//! `berth alloc events`

use serde::Deserialize;
use serde_json::Value;

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
struct Event {
    seq: u64,
    #[serde(rename = "type")]
    kind: String,
    created_at: String,
    #[serde(default)]
    data: Value,
}

impl Row for Event {
    const HEADINGS: &'static [&'static str] = &["SEQ", "TIME", "TYPE", "DATA"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.seq.cell(),
            self.created_at.clone(),
            self.kind.clone(),
            self.data.cell(),
        ]
    }
}

pub(super) async fn run(args: Args, session: &mut Session<'_>) -> Result {
    let call = Call::get(&format!("allocations/{}/events", args.id));
    session.call::<Page<Event>>(&args.page.apply(call)).await
}
