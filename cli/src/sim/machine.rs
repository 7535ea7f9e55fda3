//! One simulated machine: its folder, which survives restarts, and its processes, which do not.
//!
//! The folder holds `etc` (accounts, host key), `home`, `devices` (the GPUs, whose owner is what
//! counts), `gpu-uuids`, `faults`, and the log of its sshd.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use backon::Retryable as _;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use super::network::Link;
use super::protocol::NodeRequest;

mod accounts;
mod folder;

/// How long a machine may take until its sshd listens.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// A machine that accepts logins.
#[derive(Debug)]
pub(super) struct Machine {
    directory: PathBuf,
    /// `unshare`: its end is the end of everything inside.
    keeper: Child,
    sshd: Pid,
    pub(super) host_key: String,
}

impl Machine {
    /// Boots a machine inside the link's namespace and waits until it listens.
    pub(super) async fn start(
        directory: &Path,
        authority: &str,
        owner: Option<(u32, u32)>,
        link: &Link,
        request: &NodeRequest,
    ) -> anyhow::Result<Self> {
        let directory = directory.join(&request.name);
        folder::prepare(&directory, authority, owner, link.node, request).await?;
        let mut keeper = spawn(&directory, link, request)?;
        let listening = wait_until_listening(&mut keeper).await.with_context(|| {
            let log = std::fs::read_to_string(directory.join("node.log")).unwrap_or_default();
            format!("{} did not start: {}", request.name, last_line(&log))
        });
        match listening {
            Ok(sshd) => Ok(Self {
                host_key: folder::host_key(&directory)?,
                directory,
                keeper,
                sshd,
            }),
            Err(error) => {
                end(keeper).await;
                Err(error)
            }
        }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The listening sshd, as this machine's process table numbers it.
    pub(super) fn sshd(&self) -> Pid {
        self.sshd
    }

    /// Completes when the machine ends by itself.
    pub(super) async fn ended(&mut self) {
        if let Err(error) = self.keeper.wait().await {
            tracing::warn!(%error, "cannot wait for a node");
        }
    }

    /// Pulls the plug.
    pub(super) async fn end(self) {
        end(self.keeper).await;
    }
}

async fn end(mut keeper: Child) {
    // SIGKILL and nothing else: unshare ignores SIGTERM, and takes its child along when killed.
    if let Err(error) = keeper.kill().await {
        tracing::warn!(%error, "cannot end a node");
    }
}

fn spawn(directory: &Path, link: &Link, request: &NodeRequest) -> anyhow::Result<Child> {
    let log = std::fs::File::create(directory.join("node.log"))?;
    // Each of these replaces itself by the next, so that the child's pid is unshare's.
    Command::new("ip")
        .args(["netns", "exec", &link.namespace])
        .args(["setpriv", "--pdeathsig", "KILL"])
        .args(["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork"])
        .args(["--kill-child", "--propagation", "private"])
        .arg("/bin/sh")
        .arg(directory.join("boot.sh"))
        .env("NODE_DIR", directory)
        .env("NODE_NAME", &request.name)
        .env("NODE_GPUS", request.gpus.to_string())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .context("cannot run `ip netns exec`")
}

async fn wait_until_listening(keeper: &mut Child) -> anyhow::Result<Pid> {
    let keeper_pid = keeper
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .map(Pid::from_raw)
        .context("it ended at once")?;
    let look = || async {
        let sshd = children(keeper_pid)
            .first()
            .copied()
            .context("no process yet")?;
        // sshd writes this file after it listens; only inside the machine has it this path.
        let pid_file = format!("/proc/{sshd}/root/run/berth/sshd.pid");
        std::fs::metadata(pid_file).context("sshd does not listen")?;
        anyhow::Ok(sshd)
    };
    let pace = backon::ConstantBuilder::default()
        .with_delay(Duration::from_millis(10))
        .without_max_times();
    tokio::select! {
        sshd = look.retry(pace) => sshd,
        _ = keeper.wait() => anyhow::bail!("it ended"),
        () = tokio::time::sleep(START_DEADLINE) => anyhow::bail!("deadline of {START_DEADLINE:?} passed"),
    }
}

/// Direct children of a process, which may be none or may have gone.
pub(super) fn children(pid: Pid) -> Vec<Pid> {
    std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .map(Pid::from_raw)
        .collect()
}

/// Ends a process that may have ended by itself.
pub(super) fn kill(pid: Pid) {
    match nix::sys::signal::kill(pid, Signal::SIGKILL) {
        Ok(()) | Err(nix::Error::ESRCH) => {}
        Err(error) => tracing::warn!(%pid, %error, "cannot end a process"),
    }
}

fn last_line(log: &str) -> &str {
    log.lines().rfind(|line| !line.is_empty()).unwrap_or("")
}
