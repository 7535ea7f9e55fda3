//! Simulated nodes are network namespaces with accounts of their own: making them needs root.

use std::process::Stdio;

use anyhow::bail;
use tokio::process::Command;

/// Asks before anything is started, so that a refusal costs nobody a minute.
pub(super) async fn check(nodes: u32) -> anyhow::Result<()> {
    if nodes == 0 || nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let answer = Command::new("sudo")
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    if answer.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    bail!(
        "simulated nodes need root and `sudo -n` refuses: allow sudo without a password, run as root, or use --nodes 0"
    )
}
