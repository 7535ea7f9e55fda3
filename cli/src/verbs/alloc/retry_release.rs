//! `berth alloc retry-release`

use super::view::Allocation;
use crate::client::Call;
use crate::verbs::exit::Result;
use crate::verbs::id;
use crate::verbs::session::Session;
use crate::verbs::wait::{KeyArgs, WaitArgs, conclude};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_name = "ALLOCATION", value_parser = id::allocation)]
    id: String,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(super) async fn run(args: Args, session: &mut Session<'_>) -> Result {
    let path = format!("allocations/{}:retry-release", args.id);
    let accepted = session.send(&Call::post(&path, args.key.key())).await?;
    conclude::<Allocation>(session, &accepted, &args.wait).await
}
