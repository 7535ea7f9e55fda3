//! `berth alloc list`

use domain::state::AllocationState;

use super::view::Allocation;
use crate::client::Call;
use crate::verbs::exit::Result;
use crate::verbs::id;
use crate::verbs::list::{Page, PageArgs};
use crate::verbs::session::Session;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only those of one project
    #[arg(long, value_name = "ID", value_parser = id::project)]
    project: Option<String>,
    /// Only those in this state; repeat for any of several
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',')]
    states: Vec<AllocationState>,
    /// Only those with this label, or with any value of it; repeat for all of several
    #[arg(long = "label", value_name = "NAME[=VALUE]", value_delimiter = ',')]
    labels: Vec<String>,
    #[command(flatten)]
    page: PageArgs,
}

pub(super) async fn run(args: Args, session: &mut Session<'_>) -> Result {
    let states: Vec<_> = args.states.iter().map(ToString::to_string).collect();
    let call = Call::get("allocations")
        .with_query("project_id", args.project)
        .with_query("state", any(&states))
        .with_query("label", any(&args.labels));
    session
        .call::<Page<Allocation>>(&args.page.apply(call))
        .await
}

fn any(values: &[String]) -> Option<String> {
    (!values.is_empty()).then(|| values.join(","))
}
