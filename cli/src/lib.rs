//! The `berth` command: every role of the control plane, the local stack, and the verbs of people
//! and operators.
//!
//! Exit codes: 0 ok, 1 failed, 2 usage, 3 authentication, 4 not found, 124 a wait timed out.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line speaks through these"
)]

mod client;
mod exit;
mod role;
mod sim;
mod stack;
mod verbs;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::exit::Failure;

/// Berth, a GPU-cloud control plane.
#[derive(Parser)]
#[command(
    name = "berth",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    invocation: Invocation,
}

#[derive(Subcommand)]
enum Invocation {
    #[command(flatten)]
    Here(Command),
    #[command(flatten)]
    Verb(Box<verbs::Command>),
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole stack on this machine, until Ctrl-C
    Up(stack::UpArgs),
    /// Look at a running local stack, or stop and start a part of it
    Stack(stack::StackArgs),
    /// Serve the REST API
    #[command(after_help = platform::settings::help())]
    Api,
    /// Carry out workflows and their steps
    #[command(after_help = platform::settings::help())]
    Worker(role::worker::Args),
    /// Deliver what the API left in the outboxes
    #[command(after_help = platform::settings::help())]
    Relay,
    /// Bring the database's schema up to date, then end
    #[command(after_help = platform::settings::help())]
    Migrate,
    /// Look at the settings of this process
    #[command(subcommand)]
    Config(role::config::Config),
    /// Print the OpenAPI document, as committed under doc/api
    #[command(hide = true)]
    Openapi,
    /// Make simulated GPU nodes; part of the local stack, must be root
    NodeHost(sim::host::HostArgs),
    /// Hold one simulated GPU node; part of the local stack
    NodeTether(sim::tether::TetherArgs),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    match cli.invocation {
        Invocation::Here(command) => exit::report(run(command)),
        Invocation::Verb(command) => verbs::main(*command, Cli::command()),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Up(args) => stack::up(&args),
        Command::Stack(args) => stack::control(&args),
        Command::Api => role::api::run(),
        Command::Worker(args) => role::worker::run(args),
        Command::Relay => role::relay::run(),
        Command::Migrate => role::migrate::run(),
        Command::Config(config) => role::config::run(&config),
        Command::Openapi => role::api::openapi(),
        Command::NodeHost(args) => sim::host(args),
        Command::NodeTether(args) => sim::tether(args),
    }
}
