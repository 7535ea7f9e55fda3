//! `berth alloc get`

use super::view::Allocation;
use crate::verbs::exit::Result;
use crate::verbs::id;
use crate::verbs::session::Session;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_name = "ALLOCATION", value_parser = id::allocation)]
    id: String,
}

pub(super) async fn run(args: Args, session: &mut Session<'_>) -> Result {
    session
        .get::<Allocation>(&format!("allocations/{}", args.id))
        .await
}
