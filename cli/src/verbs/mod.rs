//! What people and operators ask of a running installation, one module for each kind of thing.
//!
//! Data goes to stdout and talk to stderr. `-o json` gives the server's answer as it came.
//! Every verb ends with one of the codes of [`Exit`].

mod alloc;
mod api_key;
mod audit;
mod billing;
mod console;
mod dlq;
mod exit;
mod group;
mod id;
mod identity;
mod input;
mod list;
mod node;
mod op;
mod partition;
mod policy;
pub(crate) mod progress;
mod project;
mod quota;
mod rotate;
mod rule;
mod session;
mod signing_key;
mod ssh_key;
mod table;
#[cfg(test)]
mod tests;
mod wait;
mod workflow;

use std::process::ExitCode;

use clap::Subcommand;
use clap_complete::Shell;
use serde_json::Value;

pub(crate) use self::console::Console;
pub(crate) use self::exit::Exit;
use self::group::{Either, Operator, Tenant};

/// Verbs that talk to the API, and the completions of all.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lease GPUs, look at leases, log in, give back
    Alloc(Tenant<alloc::Verb>),
    /// Follow or cancel work that takes its time
    Op(Either<op::Verb>),
    /// Projects of the organization
    Project(Tenant<project::Verb>),
    /// Public keys that may log in to allocations
    SshKey(Tenant<ssh_key::Verb>),
    /// Keys that programs call the API with
    ApiKey(Tenant<api_key::Verb>),
    /// Prices, use, money and invoices
    Billing(Either<billing::Verb>),
    /// Machines (operators)
    Node(Operator<node::Verb>),
    /// Which person a subject of the identity provider is (operators)
    Identity(Operator<identity::Verb>),
    /// Settings that operators change while everything runs
    Policy(Operator<policy::Verb>),
    /// How many GPUs of a SKU may be had together (operators)
    Quota(Operator<quota::Verb>),
    /// Rules about who may do what, beside the built-in ones (operators)
    Rule(Operator<rule::Verb>),
    /// What could not be delivered, until somebody sends it again (operators)
    Dlq(Operator<dlq::Verb>),
    /// Work that waits for people, and whether a new program goes on with it (operators)
    Workflow(Operator<workflow::Verb>),
    /// Tables that only grow (operators)
    Partition(Operator<partition::Verb>),
    /// Who did what, and whether that is still what was written down (operators)
    Audit(Operator<audit::Verb>),
    /// Replace keys, in time or as they were stolen (operators)
    Rotate(Operator<rotate::Verb>),
    /// Keys that Berth signs with (operators)
    SigningKey(Operator<signing_key::Verb>),
    /// Print the completions of a shell
    #[command(after_help = "For bash: source <(berth completions bash)")]
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// Carries out one verb on a runtime of its own. `root` is the whole command line.
pub(crate) fn main(command: Command, root: clap::Command) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(command, root)),
        Err(error) => {
            Console::system().talk(&format!("berth: cannot start the runtime: {error}"));
            Exit::Failed.into()
        }
    }
}

/// Carries out one verb and says how the process should end.
pub(crate) async fn run(command: Command, root: clap::Command) -> ExitCode {
    run_on(command, root, &mut Console::system()).await.into()
}

async fn run_on(command: Command, root: clap::Command, console: &mut Console) -> Exit {
    let result = match command {
        Command::Alloc(group) => group.run(console).await,
        Command::Op(group) => group.run(console).await,
        Command::Project(group) => group.run(console).await,
        Command::SshKey(group) => group.run(console).await,
        Command::ApiKey(group) => group.run(console).await,
        Command::Billing(group) => group.run(console).await,
        Command::Node(group) => group.run(console).await,
        Command::Identity(group) => group.run(console).await,
        Command::Policy(group) => group.run(console).await,
        Command::Quota(group) => group.run(console).await,
        Command::Rule(group) => group.run(console).await,
        Command::Dlq(group) => group.run(console).await,
        Command::Audit(group) => group.run(console).await,
        Command::Workflow(group) => workflow::run(group, console).await,
        Command::Partition(group) => group.run(console).await,
        Command::Rotate(group) => group.run(console).await,
        Command::SigningKey(group) => group.run(console).await,
        Command::Completions { shell } => completions(shell, root, console),
    };
    result.unwrap_or_else(|failure| {
        console.complain(&failure);
        failure.exit()
    })
}

fn completions(shell: Shell, mut root: clap::Command, console: &mut Console) -> exit::Result {
    let name = root.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut root, name, &mut script);
    console.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}

/// A request's body: the fields that have a value.
fn body<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let given = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect())
}
