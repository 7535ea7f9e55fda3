//! `berth alloc ssh`: the system's own `ssh`, told everything it needs.
//!
//! The host key that was pinned when the machine was enrolled is the only one believed; it lives
//! in a file for as long as the session does, so nobody's own `known_hosts` changes.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use ssh_key::PublicKey;
use tempfile::NamedTempFile;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use url::Host;

use super::view::{Allocation, Login};
use crate::verbs::exit::{Exit, Failure, Result};
use crate::verbs::id;
use crate::verbs::session::Session;

#[derive(Debug, clap::Args)]
#[command(after_help = "Ends with the exit code of ssh.")]
pub(crate) struct Args {
    #[arg(value_name = "ALLOCATION", value_parser = id::allocation)]
    id: String,
    /// Private key to log in with [default: as your ssh is configured]
    #[arg(short, long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Which machine of the allocation, when it has several [default: the first]
    #[arg(long, value_name = "ID", value_parser = id::node)]
    node: Option<String>,
    /// Options for ssh and a command to run instead of a shell
    #[arg(last = true, value_name = "ARGS")]
    rest: Vec<OsString>,
}

pub(super) async fn run(args: Args, session: &mut Session<'_>) -> Result {
    let answer = session
        .client
        .get(&format!("allocations/{}", args.id))
        .await?;
    let allocation: Allocation = answer.json()?;
    let login = login(&allocation, args.node.as_deref())?;
    let known_hosts = known_hosts(login)?;
    let mut command = command(login, known_hosts.path(), args.identity.as_deref());
    command.args(&args.rest);
    let status = attend(command).await?;
    Ok(Exit::Other(code(status)))
}

fn login<'a>(allocation: &'a Allocation, node: Option<&str>) -> Result<&'a Login> {
    let mut machines = allocation
        .nodes
        .iter()
        .filter(|m| node.is_none_or(|id| m.id == id));
    machines
        .find_map(|machine| machine.ssh.as_ref())
        .ok_or_else(|| {
            let (id, state) = (&allocation.id, &allocation.state);
            Failure::NotPossible(match node {
                Some(node) => format!("{id} ({state}) has no login on {node}"),
                None => format!("{id} is {state}: there is no machine to log in to"),
            })
        })
}

fn not_sound(what: &str) -> Failure {
    Failure::NotPossible(format!("the server's answer holds {what} that is none"))
}

/// Host as `ssh` may be given it: a name or an address, nothing that looks like an option.
fn host(login: &Login) -> Result<&str> {
    let address = login.host.parse::<std::net::IpAddr>().is_ok();
    let name = Host::parse(&login.host).is_ok() && !login.host.starts_with('-');
    if address || name {
        Ok(&login.host)
    } else {
        Err(not_sound("a host"))
    }
}

/// A file with one line: this host at this port has this key and no other.
fn known_hosts(login: &Login) -> Result<NamedTempFile> {
    let key = PublicKey::from_openssh(&login.host_key).map_err(|_| not_sound("a host key"))?;
    let key = key.to_openssh().map_err(|_| not_sound("a host key"))?;
    let host = host(login)?;
    let mut file = tempfile::Builder::new()
        .prefix("berth-known-hosts-")
        .tempfile()?;
    match login.port {
        22 => writeln!(file, "{host} {key}")?,
        port => writeln!(file, "[{host}]:{port} {key}")?,
    }
    Ok(file)
}

fn command(login: &Login, known_hosts: &Path, identity: Option<&Path>) -> Command {
    // Inside `-o`, a percent sign begins a token and a blank ends the value.
    let file = known_hosts.display().to_string().replace('%', "%%");
    let mut command = Command::new("ssh");
    command
        .args(["-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=no"])
        .args(["-o", "GlobalKnownHostsFile=/dev/null", "-o"])
        .arg(format!("UserKnownHostsFile=\"{file}\""))
        .args(["-p", &login.port.to_string(), "-l", &login.user]);
    if let Some(identity) = identity {
        command
            .args(["-o", "IdentitiesOnly=yes", "-i"])
            .arg(identity);
    }
    command.arg(&login.host);
    command
}

/// Runs `ssh` in the foreground. It gets the terminal's Ctrl-C itself; a TERM is handed on.
async fn attend(mut command: Command) -> Result<ExitStatus> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut child = command
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Failure::NotPossible(format!("cannot run ssh: {error}")))?;
    loop {
        tokio::select! {
            status = child.wait() => return Ok(status?),
            _ = interrupt.recv() => {}
            _ = terminate.recv() => child.start_kill()?,
        }
    }
}

/// As a shell tells it: a signal is 128 and its number.
fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
