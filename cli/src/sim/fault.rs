//! Fault knobs: files in `<node>/faults/`. `nvidia-smi` on the node reads `gpu-missing`,
//! `wrong-driver`, `ecc-errors` and `hot` itself, `dmesg` reads `xid`; the others are put into
//! effect here. What is in effect is written to
//! `<node>/faults.applied`, one name a line, so that a test can wait for it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;

use super::machine::{Machine, children};

/// How often the knobs are looked at.
const PERIOD: Duration = Duration::from_millis(100);

/// Knobs that exist; a file of another name has no effect.
const KNOBS: &[&str] = &[
    "gpu-missing",
    "wrong-driver",
    "refuse-login",
    "hang",
    "disk-full",
    "drop-connection",
    "ecc-errors",
    "hot",
    "xid",
];

/// Follows the knobs of one machine until the machine ends.
pub(super) async fn follow(machine: &mut Machine) {
    let applied_file = machine.directory().join("faults.applied");
    let mut applied = BTreeSet::new();
    loop {
        let wanted = wanted(&machine.directory().join("faults"));
        if wanted != applied {
            for knob in wanted.symmetric_difference(&applied) {
                let on = wanted.contains(knob);
                if let Err(error) = set(machine, knob, on).await {
                    tracing::warn!(knob, on, "{error:#}");
                }
            }
            applied = wanted;
            let list: String = applied.iter().flat_map(|knob| [*knob, "\n"]).collect();
            if let Err(error) = std::fs::write(&applied_file, list) {
                tracing::warn!(%error, "cannot write faults.applied");
            }
        }
        // Not a state but a habit: every connection ends soon after it began.
        if applied.contains("drop-connection") {
            for session in children(machine.sshd()) {
                super::machine::kill(session);
            }
        }
        tokio::select! {
            () = machine.ended() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

fn wanted(folder: &Path) -> BTreeSet<&'static str> {
    KNOBS
        .iter()
        .filter(|knob| folder.join(knob).exists())
        .copied()
        .collect()
}

async fn set(machine: &Machine, knob: &str, on: bool) -> anyhow::Result<()> {
    match knob {
        "refuse-login" => refuse_login(machine, on),
        "hang" => {
            let signal = if on { Signal::SIGSTOP } else { Signal::SIGCONT };
            stop_or_continue(machine, signal).await
        }
        "disk-full" => disk_full(machine, on).await,
        _ => Ok(()),
    }
}

fn refuse_login(machine: &Machine, on: bool) -> anyhow::Result<()> {
    let line = if on { "DenyUsers *\n" } else { "" };
    let file: PathBuf = machine.directory().join("etc/ssh/sshd_config.d/fault.conf");
    std::fs::write(file, line)?;
    kill(machine.sshd(), Signal::SIGHUP).context("sshd is gone")
}

/// Stops everything on the machine where it stands: new connections are accepted by the kernel
/// and never answered.
async fn stop_or_continue(machine: &Machine, signal: Signal) -> anyhow::Result<()> {
    let mut pids = vec![machine.sshd()];
    let mut next = 0;
    while let Some(pid) = pids.get(next).copied() {
        pids.extend(children(pid));
        next += 1;
    }
    for pid in pids {
        match kill(pid, signal) {
            Ok(()) | Err(nix::Error::ESRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Puts a small file system without a free block over `/home`.
async fn disk_full(machine: &Machine, on: bool) -> anyhow::Result<()> {
    let script = if on {
        "mount -t tmpfs -o size=64k full /home && { cat /dev/zero > /home/.full 2>/dev/null || true; }"
    } else {
        "umount -l /home"
    };
    in_machine(machine.sshd(), script).await
}

async fn in_machine(sshd: Pid, script: &str) -> anyhow::Result<()> {
    let output = Command::new("nsenter")
        .args(["--target", &sshd.to_string(), "--mount", "--pid"])
        .args(["--root", "--wd"])
        .args(["/bin/sh", "-c", script])
        .kill_on_drop(true)
        .output()
        .await?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
