//! The simulated GPU nodes as children.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use platform::kms::Keyring;
use platform::ssh::Authority;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::ChildStdout;
use tokio::sync::watch;

use super::child::Spec;
use super::context::Context;

/// What every simulated node says that it has.
pub(super) const GPUS: u32 = 8;
pub(super) const GPU_MODEL: &str = "NVIDIA H100 80GB HBM3";
pub(super) const GPU_MEMORY_MIB: u32 = 81_559;
pub(super) const DRIVER_VERSION: &str = "570.86.15";

/// Where a node can be logged in to.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) host_key: String,
}

/// The one line that a tether prints once its node accepts logins.
pub(super) struct Answer {
    line: watch::Receiver<Option<String>>,
}

impl Answer {
    pub(super) fn read(output: ChildStdout) -> Answer {
        let (tell, line) = watch::channel(None);
        tokio::spawn(async move {
            let mut output = BufReader::new(output).lines();
            if let Ok(Some(text)) = output.next_line().await {
                tell.send_replace(Some(text));
            }
        });
        Answer { line }
    }

    pub(super) fn address(&self) -> anyhow::Result<Address> {
        let line = self.line.borrow();
        let text = line.as_deref().context("the node has not answered yet")?;
        serde_json::from_str(text).with_context(|| format!("the node answered {text}"))
    }
}

/// Where the privileged process reads whom the nodes shall trust.
fn authority(ctx: &Context) -> PathBuf {
    ctx.layout.dir("keyring").join("ssh_ca.pub")
}

/// The first use of Berth's SSH authority makes it, and publishes the key that nodes trust.
pub(super) fn prepare(ctx: &Context) -> anyhow::Result<()> {
    let keyring = Keyring::open_or_create(&ctx.layout.dir("keyring"))?;
    Authority::open(&keyring)?;
    Ok(())
}

/// The privileged one. It ends when its input closes, for nobody but root may signal it.
pub(super) fn host(ctx: &Context) -> Spec {
    // A killed host leaves it, and it would look like an answer.
    std::fs::remove_file(ctx.layout.node_socket()).ok();
    let spec = if ctx.as_root {
        Spec::new(&ctx.tools.berth)
    } else {
        Spec::new("sudo").arg("-n").arg(&ctx.tools.berth)
    };
    let mut spec = spec
        .args([
            "node-host",
            "--cidr",
            &ctx.memory.node_network.to_string(),
            "--prefix",
            &ctx.layout.tag(),
        ])
        .arg("--dir")
        .arg(ctx.layout.dir("nodes"))
        .arg("--socket")
        .arg(ctx.layout.node_socket())
        .arg("--authority")
        .arg(authority(ctx));
    spec.holds_input = true;
    spec
}

pub(super) fn probe_host(ctx: &Context) -> anyhow::Result<()> {
    ensure!(ctx.layout.node_socket().exists(), "it does not listen yet");
    Ok(())
}

/// Its life is the node's life.
pub(super) fn tether(ctx: &Context, number: u32) -> Spec {
    let text = |value: u32| value.to_string();
    let mut spec = Spec::new(&ctx.tools.berth)
        .args([
            "node-tether",
            "--name",
            &format!("node-{number}"),
            "--index",
            &text(number),
        ])
        .args(["--gpus", &text(GPUS), "--gpu-model", GPU_MODEL])
        .args([
            "--gpu-memory-mib",
            &text(GPU_MEMORY_MIB),
            "--driver-version",
            DRIVER_VERSION,
        ])
        .arg("--socket")
        .arg(ctx.layout.node_socket());
    spec.reads_output = true;
    spec
}
