//! Temporal's development server: the real server on a SQLite file, with its web UI.

use std::process::Stdio;

use anyhow::{Context as _, ensure};

use crate::stack::child::Spec;
use crate::stack::context::Context;
use crate::stack::memory::Port;

pub(in crate::stack) const NAMESPACE: &str = "berth";

pub(in crate::stack) fn spec(ctx: &Context) -> Spec {
    let port = |name| ctx.memory.port(name).to_string();
    let synchronous = if ctx.unsafe_fast {
        "synchronous=OFF"
    } else {
        "synchronous=NORMAL"
    };
    let attributes = contract::attribute::ALL
        .iter()
        .flat_map(|name| ["--search-attribute".to_owned(), format!("{name}=Keyword")]);
    Spec::new(&ctx.tools.temporal)
        .args([
            "server",
            "start-dev",
            "--namespace",
            NAMESPACE,
            "--ip",
            "127.0.0.1",
            "--ui-ip",
            "127.0.0.1",
        ])
        .args([
            "--port",
            &port(Port::Temporal),
            "--http-port",
            &port(Port::TemporalHttp),
        ])
        .args([
            "--ui-port",
            &port(Port::TemporalUi),
            "--metrics-port",
            &port(Port::TemporalMetrics),
        ])
        .arg("--db-filename")
        .arg(ctx.layout.dir("temporal").join("temporal.sqlite"))
        .args([
            "--sqlite-pragma",
            "journal_mode=WAL",
            "--sqlite-pragma",
            synchronous,
        ])
        .args(attributes)
        .args(["--ui-disable-news-fetch", "--log-level", "warn"])
}

/// The namespace answers and knows the last of our search attributes.
pub(in crate::stack) async fn probe(ctx: &Context) -> anyhow::Result<()> {
    let output = tokio::process::Command::new(&ctx.tools.temporal)
        .args([
            "operator",
            "search-attribute",
            "list",
            "--namespace",
            NAMESPACE,
            "--address",
            &ctx.memory.address(Port::Temporal),
        ])
        .args([
            "--command-timeout",
            "5s",
            "--disable-config-file",
            "--disable-config-env",
        ])
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run temporal")?;
    let known = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "Temporal does not answer");
    ensure!(
        contract::attribute::ALL
            .iter()
            .all(|name| known.contains(name)),
        "the search attributes are not registered"
    );
    Ok(())
}

pub(in crate::stack) fn ui_url(ctx: &Context) -> String {
    format!("http://{}", ctx.memory.address(Port::TemporalUi))
}
