//! `berth alloc extend`

use serde_json::json;

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
    /// How much later the lease ends
    #[arg(long, value_name = "SECONDS")]
    lease_seconds: u64,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(super) async fn run(args: Args, session: &mut Session<'_>) -> Result {
    let path = format!("allocations/{}:extend", args.id);
    let body = json!({ "lease_seconds": args.lease_seconds });
    let accepted = session
        .send(&Call::post(&path, args.key.key()).with_body(body))
        .await?;
    conclude::<Allocation>(session, &accepted, &args.wait).await
}
