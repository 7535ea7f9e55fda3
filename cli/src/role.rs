//! The roles of an installation, each a process of its own.

pub(crate) mod config;
pub(crate) mod migrate;

use std::future::Future;

use anyhow::Context as _;

/// Runs a role on a runtime of its own; the main task need not be `Send`.
pub(crate) fn block_on<T>(task: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(task)
}
