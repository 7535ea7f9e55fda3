//! NATS with JetStream in a folder.

use anyhow::Context as _;

use crate::stack::child::Spec;
use crate::stack::context::Context;
use crate::stack::memory::Port;

/// A message that was acknowledged is on the disk: the server's default is to sync every other
/// minute, and only its configuration file can say otherwise.
pub(in crate::stack) fn prepare(ctx: &Context) -> anyhow::Result<()> {
    let sync = if ctx.unsafe_fast { "2m" } else { "always" };
    let store = serde_json::to_string(&ctx.layout.dir("nats"))?;
    let text = format!("jetstream {{ store_dir: {store}, sync_interval: {sync} }}\n");
    std::fs::write(config(ctx), text).context("cannot write the configuration of NATS")
}

pub(in crate::stack) fn spec(ctx: &Context) -> Spec {
    Spec::new(&ctx.tools.nats_server)
        .arg("--config")
        .arg(config(ctx))
        .args([
            "--addr",
            "127.0.0.1",
            "--port",
            &ctx.memory.port(Port::Nats).to_string(),
        ])
}

pub(in crate::stack) async fn probe(ctx: &Context) -> anyhow::Result<()> {
    let client = async_nats::connect(url(ctx)).await?;
    async_nats::jetstream::new(client).query_account().await?;
    Ok(())
}

pub(in crate::stack) fn url(ctx: &Context) -> String {
    format!("nats://{}", ctx.memory.address(Port::Nats))
}

fn config(ctx: &Context) -> std::path::PathBuf {
    ctx.layout.dir("nats").join("nats.conf")
}
