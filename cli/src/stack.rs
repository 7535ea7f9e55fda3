//! The local stack: every server and role of Berth on one machine, as children of one process.
//!
//! `berth up` prepares, starts and watches them ([`supervisor`]), and ends them in order. It keeps
//! its data in one folder ([`layout`]), remembers ports and keys there ([`memory`]), and listens on
//! a socket in it for `berth stack …` ([`control`]).

mod child;
mod context;
mod control;
mod detach;
mod enroll;
mod env_file;
mod layout;
mod leftovers;
mod log;
mod member;
mod memory;
mod nodes;
mod port;
mod privilege;
mod role;
mod sample;
mod seed;
mod server;
mod signals;
mod status;
mod subnet;
mod supervisor;
mod talk;
mod tools;
mod up;

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};

use crate::exit::Failure;

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct UpArgs {
    /// Come back once everything runs, and leave it running
    #[arg(long)]
    detach: bool,
    /// Where to keep data [default: .berth/data, as root a folder below /var/lib/berth]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// How many simulated GPU nodes to run, at least: those that the data know start too
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=60))]
    nodes: u32,
    /// Do not create a sample allocation
    #[arg(long)]
    no_sample: bool,
    /// Start a role again when it dies
    #[arg(long, value_name = "BOOL", env = "BERTH_UP_RESTART", default_value = "true", action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    restart: bool,
    /// Lose data in a power failure, for the sake of speed: only for tests
    #[arg(long, value_name = "BOOL", env = "BERTH_UP_UNSAFE_FAST", default_value = "false", action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    unsafe_fast: bool,
    /// Where scripts/setup.sh put its tools [default: .dev of the clone]
    #[arg(long, value_name = "DIR", env = "BERTH_DEV_DIR")]
    dev_dir: Option<PathBuf>,
    /// Set by --detach: leave the caller's output alone once everything runs
    #[arg(long, hide = true)]
    detached: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StackArgs {
    #[command(subcommand)]
    verb: StackVerb,
    /// The stack's data folder [default: that of the stack described by .berth/env]
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// Print as `text` or `json`
    #[arg(short, long, default_value = "text", value_parser = ["text", "json"], global = true)]
    output: String,
}

#[derive(Debug, Subcommand)]
enum StackVerb {
    /// List servers, roles and nodes
    Status,
    /// End one of them; it stays down until it is started
    Stop { name: String },
    /// Start it again, on the same port and data
    Start { name: String },
}

/// `berth up`
pub(crate) fn up(args: &UpArgs) -> Result<(), Failure> {
    let runtime = runtime()?;
    if args.detach {
        runtime.block_on(detach::run(args))
    } else {
        runtime.block_on(up::run(args))
    }
}

/// `berth stack …`
pub(crate) fn control(args: &StackArgs) -> Result<(), Failure> {
    runtime()?.block_on(status::run(args))
}

/// One thread: a child's parent-death signal follows the thread that forked it.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}
