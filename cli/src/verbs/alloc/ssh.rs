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

#[cfg(test)]
mod tests {
    use super::*;

    const HOST_KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn login(host: &str, port: u16, host_key: &str) -> Login {
        Login {
            user: "t01".to_owned(),
            host: host.to_owned(),
            port,
            host_key: host_key.to_owned(),
        }
    }

    fn known(login: &Login) -> String {
        std::fs::read_to_string(known_hosts(login).unwrap()).unwrap()
    }

    #[test]
    fn the_pinned_key_is_the_only_one_known() {
        let with_comment = format!("{HOST_KEY} root@node-1");
        let standard = login("10.1.2.3", 22, HOST_KEY);
        assert_eq!(known(&standard), format!("10.1.2.3 {HOST_KEY}\n"));
        let other = login("node.example.org", 2222, &with_comment);
        let line = known(&other);
        assert!(
            line.starts_with(&format!("[node.example.org]:2222 {HOST_KEY}")),
            "{line}"
        );
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn an_answer_cannot_smuggle_options_or_lines() {
        let two_keys = format!("{HOST_KEY}\n* {HOST_KEY}");
        for (host, key) in [
            ("-oProxyCommand=evil", HOST_KEY),
            ("host *", HOST_KEY),
            ("host\n*", HOST_KEY),
            ("", HOST_KEY),
            ("10.1.2.3", "garbage"),
            ("10.1.2.3", &two_keys),
        ] {
            assert!(
                known_hosts(&login(host, 22, key)).is_err(),
                "{host:?} {key:?}"
            );
        }
    }

    /// What the real `ssh` makes of our options (`-G` prints its configuration and ends).
    #[tokio::test]
    async fn ssh_understands_every_option() {
        let folder = tempfile::tempdir().unwrap();
        let identity = folder.path().join("a key");
        std::fs::write(&identity, "").unwrap();
        let known_hosts = Path::new("/tmp/odd %h folder/known hosts");
        let mut command = command(
            &login("10.1.2.3", 2222, HOST_KEY),
            known_hosts,
            Some(&identity),
        );
        let output = command.arg("-G").output().await.expect("ssh is installed");
        assert!(output.status.success(), "{output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        let identity_line = format!("identityfile {}", identity.display());
        for line in [
            "user t01",
            "hostname 10.1.2.3",
            "port 2222",
            "stricthostkeychecking true",
            "userknownhostsfile /tmp/odd %h folder/known hosts",
            "globalknownhostsfile /dev/null",
            &identity_line,
            "identitiesonly yes",
        ] {
            assert!(
                told.lines().any(|told| told == line),
                "no {line:?} in:\n{told}"
            );
        }
    }

    #[test]
    fn without_a_machine_the_state_is_told() {
        let allocation: Allocation = serde_json::from_value(serde_json::json!({
            "id": "alloc_1", "state": "queued", "name": "x", "project_id": "p", "sku": "s",
            "gpu_count": 1, "created_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap();
        let message = super::login(&allocation, None).unwrap_err().to_string();
        assert!(message.contains("queued"), "{message}");
    }
}
