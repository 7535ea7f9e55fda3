//! `berth alloc list`

use domain::state::AllocationState;

use super::create::label;
use super::view::Allocation;
use crate::client::Call;
use crate::verbs::exit::Result;
use crate::verbs::list::{Page, PageArgs};
use crate::verbs::session::Session;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only those in this state
    #[arg(long)]
    state: Option<AllocationState>,
    /// Only those with this label
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    label: Option<(String, String)>,
    #[command(flatten)]
    page: PageArgs,
}

pub(super) async fn run(args: Args, session: &mut Session<'_>) -> Result {
    let label = args.label.map(|(name, value)| format!("{name}={value}"));
    let call = Call::get("allocations")
        .with_query("state", args.state)
        .with_query("label", label);
    session
        .call::<Page<Allocation>>(&args.page.apply(call))
        .await
}
