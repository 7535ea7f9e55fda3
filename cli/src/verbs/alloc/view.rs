//! Allocations as people see them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::verbs::list::Row;
use crate::verbs::table::{Cell, Show, Table};

#[derive(Debug, Deserialize)]
pub(crate) struct Allocation {
    pub(crate) id: String,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) state_reason: Option<String>,
    pub(crate) name: String,
    pub(crate) project_id: String,
    pub(crate) sku: String,
    pub(crate) gpu_count: u32,
    #[serde(default)]
    pub(crate) conditions: Vec<Condition>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) nodes: Vec<Machine>,
    #[serde(default)]
    pub(crate) lease_ends_at: Option<String>,
    pub(crate) created_at: String,
}

/// What holds true of it beside its state.
#[derive(Debug, Deserialize)]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// A machine with GPUs of the allocation.
#[derive(Debug, Deserialize)]
pub(crate) struct Machine {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) ssh: Option<Login>,
    #[serde(default)]
    pub(crate) gpus: Vec<Gpu>,
}

/// What `ssh` needs to know.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The machine's host key as pinned when it was enrolled, in OpenSSH format.
    pub(crate) host_key: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Gpu {
    pub(crate) index: u32,
    pub(crate) uuid: String,
    pub(crate) model: String,
}

impl Allocation {
    fn gpu_table(&self) -> Table {
        let mut table = Table::columns(&["NODE", "GPU", "MODEL", "UUID"]);
        for machine in &self.nodes {
            for gpu in &machine.gpus {
                let index = gpu.index.to_string();
                table.row([
                    machine.id.clone(),
                    index,
                    gpu.model.clone(),
                    gpu.uuid.clone(),
                ]);
            }
        }
        table
    }
}

impl Show for Allocation {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("name", &self.name);
        table.field("state", &self.state);
        table.field("reason", &self.state_reason);
        let conditions = self
            .conditions
            .iter()
            .map(|condition| condition.kind.as_str());
        table.field("also", conditions.collect::<Vec<_>>().join(", "));
        table.field("project", &self.project_id);
        table.field("sku", &self.sku);
        table.field("gpus", self.gpu_count);
        let labels = self
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        table.field("labels", labels.collect::<Vec<_>>().join(", "));
        table.field("created", &self.created_at);
        table.field("lease ends", &self.lease_ends_at);
        for login in self.nodes.iter().filter_map(|machine| machine.ssh.as_ref()) {
            table.field(
                "ssh",
                format!("{}@{} port {}", login.user, login.host, login.port),
            );
        }
        table.below(self.gpu_table())
    }

    fn hint(&self) -> Option<String> {
        let open = self.nodes.iter().any(|machine| machine.ssh.is_some());
        open.then(|| format!("Log in with: berth alloc ssh {}", self.id))
    }
}

impl Row for Allocation {
    const HEADINGS: &'static [&'static str] = &[
        "ID",
        "NAME",
        "STATE",
        "SKU",
        "GPUS",
        "LEASE ENDS",
        "CREATED",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.name.clone(),
            self.state.clone(),
            self.sku.clone(),
            self.gpu_count.to_string(),
            self.lease_ends_at.cell(),
            self.created_at.clone(),
        ]
    }
}
