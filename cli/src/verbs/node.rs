//! `berth node`: machines, for operators.

mod capacity;
mod reports;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::exit::Result;
use super::group::Run;
use super::list::{Page, PageArgs, Row};
use super::session::Session;
use super::table::{Cell, Show, Table};
use super::wait::{KeyArgs, WaitArgs, conclude};
use super::{body, id};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Enroll a machine: it is probed, and takes allocations once it is as it should be
    Create(CreateArgs),
    /// Show one machine
    Get {
        #[arg(value_name = "NODE", value_parser = id::node)]
        id: String,
    },
    /// Show all machines
    List(PageArgs),
    /// Look at a machine again: can it be reached, are its GPUs there
    Probe {
        #[arg(value_name = "NODE", value_parser = id::node)]
        id: String,
        #[command(flatten)]
        key: KeyArgs,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Give a machine no new allocations; those that it has go on
    Cordon(OutArgs),
    /// Take a cordoned machine back into service, once a probe finds it as it should be
    Uncordon {
        #[arg(value_name = "NODE", value_parser = id::node)]
        id: String,
        #[command(flatten)]
        key: KeyArgs,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Empty a machine for maintenance: nobody comes, and those on it are told
    Drain(DrainArgs),
    /// Declare a machine bad: as cordon, until a probe finds it good
    Quarantine(OutArgs),
    /// Take a machine out of service for good; nobody may have GPUs of it
    Retire(OutArgs),
    /// Count the GPUs of each SKU, and who waits for them
    Capacity(PageArgs),
    /// Show what probes of a machine found, newest first
    Reports {
        #[arg(value_name = "NODE", value_parser = id::node)]
        id: String,
        #[command(flatten)]
        page: PageArgs,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct OutArgs {
    #[arg(value_name = "NODE", value_parser = id::node)]
    id: String,
    /// Why, for the audit log; one line
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DrainArgs {
    #[command(flatten)]
    out: OutArgs,
    /// When work on it begins (RFC 3339) [default: as soon as it is empty]
    #[arg(long, value_name = "TIME")]
    starts_at: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// Name, unique among machines in service
    #[arg(long)]
    name: String,
    /// What kind of GPUs it has
    #[arg(long)]
    sku: String,
    /// Address or name that Berth dials
    #[arg(long)]
    host: String,
    #[arg(long, default_value_t = 22)]
    port: u16,
    /// The machine's SSH host key; no other is believed from then on
    #[arg(long, value_name = "PUBLIC_KEY")]
    host_key: String,
    /// How many GPUs must be there
    #[arg(long, value_name = "N")]
    gpus: u32,
    /// Driver that must be there [default: any]
    #[arg(long, value_name = "VERSION")]
    driver_version: Option<String>,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    name: String,
    sku: String,
    host: String,
    port: u16,
    state: String,
    #[serde(default)]
    state_reason: Option<String>,
    #[serde(default)]
    expected_gpu_count: Option<u32>,
    #[serde(default)]
    driver_version: Option<String>,
    #[serde(default)]
    last_probed_at: Option<String>,
    #[serde(default)]
    maintenance_at: Option<String>,
    #[serde(default)]
    gpus: Vec<NodeGpu>,
    #[serde(default)]
    health: Option<Health>,
}

#[derive(Debug, Deserialize)]
struct Health {
    looked_at: String,
    fault: Option<String>,
    missed_looks: u32,
}

#[derive(Debug, Deserialize)]
struct NodeGpu {
    index: u32,
    state: String,
    model: String,
    uuid: String,
}

impl Show for Node {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("name", &self.name);
        table.field("state", &self.state);
        table.field("reason", &self.state_reason);
        table.field("sku", &self.sku);
        table.field("host", &self.host);
        table.field("port", self.port);
        table.field("gpus", self.expected_gpu_count);
        table.field("driver", &self.driver_version);
        table.field("last probed", &self.last_probed_at);
        table.field("maintenance", &self.maintenance_at);
        if let Some(health) = &self.health {
            table.field("last looked at", &health.looked_at);
            table.field("missed looks", health.missed_looks);
            table.field("fault", &health.fault);
        }
        let mut gpus = Table::columns(&["GPU", "STATE", "MODEL", "UUID"]);
        for gpu in &self.gpus {
            let index = gpu.index.to_string();
            gpus.row([
                index,
                gpu.state.clone(),
                gpu.model.clone(),
                gpu.uuid.clone(),
            ]);
        }
        table.below(gpus)
    }
}

impl Row for Node {
    const HEADINGS: &'static [&'static str] = &[
        "ID",
        "NAME",
        "STATE",
        "SKU",
        "ADDRESS",
        "GPUS",
        "LAST PROBED",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.name.clone(),
            self.state.clone(),
            self.sku.clone(),
            format!("{}:{}", self.host, self.port),
            self.expected_gpu_count.cell(),
            self.last_probed_at.cell(),
        ]
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::Create(args) => create(args, session).await,
            Self::Get { id } => session.get::<Node>(&format!("admin/nodes/{id}")).await,
            Self::List(page) => {
                session
                    .call::<Page<Node>>(&page.apply(Call::get("admin/nodes")))
                    .await
            }
            Self::Reports { id, page } => reports::run(&id, page, session).await,
            Self::Capacity(page) => capacity::run(page, session).await,
            Self::Probe { id, key, wait } => look("probe", &id, key, &wait, session).await,
            Self::Uncordon { id, key, wait } => look("uncordon", &id, key, &wait, session).await,
            Self::Cordon(args) => leave("cordon", args, session).await,
            Self::Drain(args) => drain(args, session).await,
            Self::Quarantine(args) => leave("quarantine", args, session).await,
            Self::Retire(args) => leave("retire", args, session).await,
        }
    }
}

/// A verb that has the machine dialled.
async fn look(
    verb: &str,
    id: &str,
    key: KeyArgs,
    wait: &WaitArgs,
    session: &mut Session<'_>,
) -> Result {
    let call = Call::post(&format!("admin/nodes/{id}:{verb}"), key.key());
    let accepted = session.send(&call).await?;
    conclude::<Node>(session, &accepted, wait).await
}

/// A verb that takes it out of service.
async fn leave(verb: &str, args: OutArgs, session: &mut Session<'_>) -> Result {
    let OutArgs { id, reason, key } = args;
    let call = Call::post(&format!("admin/nodes/{id}:{verb}"), key.key());
    let call = call.with_body(json!({ "reason": reason }));
    session.call::<Node>(&call).await
}

async fn drain(args: DrainArgs, session: &mut Session<'_>) -> Result {
    let OutArgs { id, reason, key } = args.out;
    let body = body([
        ("reason", Some(json!(reason))),
        ("starts_at", args.starts_at.map(Value::from)),
    ]);
    let call = Call::post(&format!("admin/nodes/{id}:drain"), key.key()).with_body(body);
    session.call::<Node>(&call).await
}

async fn create(args: CreateArgs, session: &mut Session<'_>) -> Result {
    let body = body([
        ("name", Some(json!(args.name))),
        ("sku", Some(json!(args.sku))),
        ("host", Some(json!(args.host))),
        ("port", Some(json!(args.port))),
        ("host_key", Some(json!(args.host_key))),
        ("expected_gpu_count", Some(json!(args.gpus))),
        (
            "expected_driver_version",
            args.driver_version.map(Value::from),
        ),
    ]);
    let call = Call::post("admin/nodes", args.key.key()).with_body(body);
    let accepted = session.send(&call).await?;
    conclude::<Node>(session, &accepted, &args.wait).await
}
