//! What a tether says to the host and gets back: one JSON line each way, then silence until one
//! of them closes the connection, which ends the node.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// A node that is wanted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NodeRequest {
    pub(super) name: String,
    /// Which /30 of the host's network it gets.
    pub(super) index: u32,
    pub(super) gpus: u32,
    pub(super) gpu_model: String,
    pub(super) driver_version: String,
    pub(super) gpu_memory_mib: u32,
}

/// Where the node listens, once it does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NodeAddress {
    pub(super) host: Ipv4Addr,
    pub(super) port: u16,
    /// Algorithm and key data, as in a `known_hosts` line.
    pub(super) host_key: String,
}

/// The host's one answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum NodeAnswer {
    Ready(NodeAddress),
    Failed { error: String },
}

impl NodeRequest {
    /// Refuses what cannot become a file name, a host name or an inventory line.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let plain = |text: &str, extra: &str| {
            !text.is_empty()
                && text.len() <= 64
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        };
        anyhow::ensure!(
            plain(&self.name, "-") && !self.name.starts_with('-'),
            "a node's name has letters, digits and hyphens"
        );
        anyhow::ensure!(
            plain(&self.gpu_model, " .-"),
            "a GPU model has letters, digits, spaces, dots and hyphens"
        );
        anyhow::ensure!(
            plain(&self.driver_version, "."),
            "a driver version has digits and dots"
        );
        anyhow::ensure!(
            (1..=64).contains(&self.gpus),
            "a node has between 1 and 64 GPUs"
        );
        Ok(())
    }
}
