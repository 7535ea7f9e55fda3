//! Redis, with its append-only file.

use anyhow::ensure;

use crate::stack::child::Spec;
use crate::stack::context::Context;
use crate::stack::memory::Port;

pub(in crate::stack) fn spec(ctx: &Context) -> Spec {
    Spec::new(&ctx.tools.redis_server)
        .args([
            "--bind",
            "127.0.0.1",
            "--port",
            &ctx.memory.port(Port::Redis).to_string(),
        ])
        .arg("--dir")
        .arg(ctx.layout.dir("redis"))
        .args([
            "--appendonly",
            if ctx.unsafe_fast { "no" } else { "yes" },
            "--save",
            "",
        ])
}

pub(in crate::stack) async fn probe(ctx: &Context) -> anyhow::Result<()> {
    let client = redis::Client::open(url(ctx))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    // It answers pings with an error while it loads its data.
    let answer: String = redis::cmd("PING").query_async(&mut connection).await?;
    ensure!(answer == "PONG", "Redis answered {answer}");
    Ok(())
}

pub(in crate::stack) fn url(ctx: &Context) -> String {
    format!("redis://{}", ctx.memory.address(Port::Redis))
}
