//! The roles of an installation, each a process of its own.

pub(crate) mod api;
pub(crate) mod config;
pub(crate) mod migrate;
pub(crate) mod relay;
pub(crate) mod worker;

use std::future::Future;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs a role on a runtime of its own; the main task need not be `Send`.
pub(crate) fn block_on<T>(task: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(task)
}

/// Runs a role until it ends or until TERM or Ctrl-C asks it to.
pub(crate) fn serve<F: Future<Output = anyhow::Result<()>>>(
    role: impl FnOnce(CancellationToken) -> F,
) -> anyhow::Result<()> {
    block_on(async {
        let shutdown = CancellationToken::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let asked = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("asked to end");
            asked.cancel();
        });
        role(shutdown).await
    })
}
