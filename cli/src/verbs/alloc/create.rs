//! `berth alloc create`

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::view::Allocation;
use crate::client::Call;
use crate::verbs::exit::{Failure, Result};
use crate::verbs::group::Setting;
use crate::verbs::session::Session;
use crate::verbs::wait::{KeyArgs, WaitArgs, conclude};
use crate::verbs::{body, id, input};

const PROJECT: Setting = Setting {
    name: "BERTH_PROJECT_ID",
    flag: "--project",
    secret: false,
};
const SKU: Setting = Setting {
    name: "BERTH_SKU",
    flag: "--sku",
    secret: false,
};

/// What the API takes.
const SCHEDULER_REQUEST_BYTES_MAX: u64 = 64 << 10;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --wait the answer is the operation that `berth op wait` follows; \
                        with it, the allocation."
)]
pub(crate) struct Args {
    /// Name for people
    #[arg(long)]
    name: String,
    /// How many GPUs, all on one machine
    #[arg(long, value_name = "N")]
    gpus: u32,
    /// What kind of GPU [default: as `.berth/env` says]
    #[arg(long, env = "BERTH_SKU")]
    sku: Option<String>,
    /// Project that the allocation belongs to [default: as `.berth/env` says]
    #[arg(long, value_name = "ID", env = "BERTH_PROJECT_ID", value_parser = id::project)]
    project: Option<String>,
    /// Public key that may log in (`berth ssh-key create`); repeat for several
    #[arg(long = "ssh-key", value_name = "ID", value_parser = id::ssh_key, required = true)]
    ssh_keys: Vec<String>,
    /// Give it back by itself after this long [default: the project's policy]
    #[arg(long, value_name = "SECONDS")]
    lease_seconds: Option<u64>,
    /// How long to wait for free GPUs; 0 fails at once when there are none [default: policy]
    #[arg(long, value_name = "SECONDS")]
    queue_timeout_seconds: Option<u64>,
    /// Mark of your own; repeat for several
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// File with a JSON object for the scheduler, kept sealed; - reads standard input
    #[arg(long, value_name = "FILE")]
    scheduler_request: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

fn label(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a label looks like NAME=VALUE".to_owned()),
    }
}

pub(super) async fn run(args: Args, session: &mut Session<'_>) -> Result {
    let project = PROJECT.resolve(args.project, &session.file)?;
    let sku = SKU.resolve(args.sku, &session.file)?;
    let labels: Map<String, Value> = args
        .labels
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    let scheduler_request = args.scheduler_request.as_deref().map(object).transpose()?;
    let body = body([
        ("project_id", Some(json!(project))),
        ("sku", Some(json!(sku))),
        ("gpu_count", Some(json!(args.gpus))),
        ("name", Some(json!(args.name))),
        ("ssh_key_ids", Some(json!(args.ssh_keys))),
        ("lease_seconds", args.lease_seconds.map(Value::from)),
        (
            "queue_timeout_seconds",
            args.queue_timeout_seconds.map(Value::from),
        ),
        (
            "labels",
            (!labels.is_empty()).then_some(Value::Object(labels)),
        ),
        ("scheduler_request", scheduler_request),
    ]);
    let call = Call::post("allocations", args.key.key()).with_body(body);
    let accepted = session.send(&call).await?;
    conclude::<Allocation>(session, &accepted, &args.wait).await
}

/// A file's JSON object.
fn object(file: &Path) -> Result<Value> {
    let text = input::text(file, SCHEDULER_REQUEST_BYTES_MAX)?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(members)) => Ok(Value::Object(members)),
        _ => Err(Failure::Usage(format!(
            "{}: no JSON object",
            file.display()
        ))),
    }
}
