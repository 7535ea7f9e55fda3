//! How an allocation looks from outside.

use std::collections::{BTreeMap, HashSet};

use db::allocation::{Allocation, HeldDevice, HeldMachine};
use db::{PgConnection, allocation};
use domain::id::{AllocationId, NodeId, OrgId, ProjectId, SshKeyId};
use domain::state::AllocationState;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::resource::Resource;

/// A tenant's hold on GPUs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AllocationView {
    #[schema(value_type = String, example = "alloc_01890a5d96ee7f8cb3f4d2f0a8b1c2d3")]
    pub id: AllocationId,
    #[schema(value_type = String)]
    pub project_id: ProjectId,
    pub name: String,
    #[schema(value_type = String, example = "active")]
    pub state: AllocationState,
    /// Stable code of why it is in this state, such as `no_capacity`.
    pub state_reason: Option<String>,
    /// What else holds true of it now.
    pub conditions: Vec<Condition>,
    pub sku: String,
    pub gpu_count: i32,
    pub node_count: i32,
    pub labels: BTreeMap<String, String>,
    #[schema(value_type = Vec<String>)]
    pub ssh_key_ids: Vec<SshKeyId>,
    /// Machines it has now; none before it is provisioned and after it ended.
    pub nodes: Vec<NodeView>,
    pub queue_timeout_seconds: i32,
    pub lease_seconds: i32,
    #[serde(with = "time::serde::rfc3339::option")]
    pub lease_ends_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub release_requested_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub active_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// What the scheduler was told; in the answer to `GET` of this one allocation alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub scheduler_request: Option<serde_json::Value>,
    #[serde(skip)]
    version: i64,
}

impl Resource for AllocationView {
    const KIND: &'static str = "allocation";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/allocations/{}", self.id)
    }
}

/// Something that holds true of an allocation beside its state.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Condition {
    /// `stuck`: an operation is open past its deadline. `release_requested`: it is going to end.
    /// `node_degraded`: its machine is not well. `lease_ending`: its lease ends soon.
    /// `maintenance_planned`: its machine is to be empty, `since` when work on it begins.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub reason: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
}

/// A machine of an allocation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NodeView {
    #[schema(value_type = String)]
    pub id: NodeId,
    pub host: String,
    pub port: i32,
    pub ssh: SshView,
    pub gpus: Vec<GpuView>,
    /// What the acceptance probe found just before it was handed over.
    #[schema(value_type = Option<ReceiptView>)]
    pub receipt: Option<serde_json::Value>,
}

/// What was handed over, signed. The signature covers every member but itself, in canonical form
/// (RFC 8785), with a key of `/.well-known/jwks.json`.
#[derive(ToSchema)]
#[schema(as = Receipt)]
#[expect(
    dead_code,
    reason = "documents what the worker wrote; shown as it was signed"
)]
pub(crate) struct ReceiptView {
    allocation_id: String,
    node_id: String,
    /// RFC 3339, by the database's clock.
    checked_at: String,
    boot_id: String,
    driver_version: Option<String>,
    /// Each with `index`, `uuid`, `model` and what else was measured.
    #[schema(value_type = Vec<Object>)]
    gpus: Vec<serde_json::Value>,
    /// The key that signed; missing on receipts from before they were signed.
    kid: Option<String>,
    /// A JWS with detached content (RFC 7515, appendix F).
    signature: Option<String>,
}

/// All that `ssh` needs beside the tenant's own key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SshView {
    pub user: String,
    pub host: String,
    pub port: i32,
    /// The only host key to be trusted.
    pub host_key: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GpuView {
    pub index: i32,
    pub uuid: String,
    pub model: String,
}

impl AllocationView {
    /// Reads what belongs to one row.
    pub(crate) async fn load(conn: &mut PgConnection, row: Allocation) -> db::Result<Self> {
        let org = row.org_id;
        let mut views = Self::load_all(conn, org, vec![row]).await?;
        Ok(views.remove(0))
    }

    /// Reads what belongs to a page of rows: a fixed number of statements, whatever its length.
    pub(crate) async fn load_all(
        conn: &mut PgConnection,
        org: OrgId,
        rows: Vec<Allocation>,
    ) -> db::Result<Vec<Self>> {
        let ids: Vec<AllocationId> = rows.iter().map(|row| row.id).collect();
        let mut held = Held {
            machines: allocation::machines(conn, org, &ids).await?,
            devices: allocation::devices(conn, org, &ids).await?,
            keys: allocation::ssh_keys(conn, org, &ids).await?,
            stuck: allocation::stuck(conn, org, &ids)
                .await?
                .into_iter()
                .collect(),
        };
        Ok(rows.into_iter().map(|row| held.view(row)).collect())
    }
}

/// What a page of allocations holds, together.
struct Held {
    machines: Vec<HeldMachine>,
    devices: Vec<HeldDevice>,
    keys: Vec<(AllocationId, SshKeyId)>,
    stuck: HashSet<AllocationId>,
}

impl Held {
    fn view(&mut self, row: Allocation) -> AllocationView {
        let machines = self.machines.extract_if(.., |m| m.allocation_id == row.id);
        let machines: Vec<_> = machines.collect();
        let mut conditions = conditions(&row, self.stuck.contains(&row.id));
        conditions.extend(machines.iter().filter_map(maintenance));
        let nodes = machines
            .into_iter()
            .map(|machine| node(machine, &self.devices))
            .collect();
        AllocationView {
            conditions,
            nodes,
            ssh_key_ids: self
                .keys
                .iter()
                .filter(|(allocation, _)| *allocation == row.id)
                .map(|(_, key)| *key)
                .collect(),
            id: row.id,
            project_id: row.project_id,
            name: row.name,
            state: row.state,
            state_reason: row.state_reason,
            sku: row.sku,
            gpu_count: row.gpu_count,
            node_count: row.node_count,
            labels: row.labels,
            queue_timeout_seconds: row.queue_timeout_seconds,
            lease_seconds: row.lease_seconds,
            lease_ends_at: row.lease_ends_at,
            release_requested_at: row.release_requested_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            active_at: row.active_at,
            ended_at: row.ended_at,
            scheduler_request: None,
            version: row.version,
        }
    }
}

fn node(machine: HeldMachine, devices: &[HeldDevice]) -> NodeView {
    NodeView {
        gpus: devices
            .iter()
            .filter(|gpu| {
                gpu.allocation_id == machine.allocation_id && gpu.node_id == machine.node_id
            })
            .map(|gpu| GpuView {
                index: gpu.index,
                uuid: gpu.uuid.clone(),
                model: gpu.model.clone(),
            })
            .collect(),
        ssh: SshView {
            user: domain::unix_user::for_allocation(machine.allocation_id),
            host: machine.host.clone(),
            port: machine.port,
            host_key: machine.host_key,
        },
        id: machine.node_id,
        host: machine.host,
        port: machine.port,
        receipt: machine.receipt,
    }
}

fn maintenance(machine: &HeldMachine) -> Option<Condition> {
    machine.draining.then_some(Condition {
        kind: "maintenance_planned",
        reason: None,
        since: machine.maintenance_at,
    })
}

fn conditions(row: &Allocation, stuck: bool) -> Vec<Condition> {
    let mut all = Vec::new();
    if stuck {
        all.push(Condition {
            kind: "stuck",
            reason: None,
            since: None,
        });
    }
    if row.state.is_live() && row.release_requested_at.is_some() {
        all.push(Condition {
            kind: "release_requested",
            reason: row.release_reason.clone(),
            since: row.release_requested_at,
        });
    }
    let in_use = matches!(
        row.state,
        AllocationState::Active | AllocationState::Degraded
    );
    if in_use && row.release_requested_at.is_none() && row.lease_warned_seconds.is_some() {
        all.push(Condition {
            kind: "lease_ending",
            reason: None,
            since: None,
        });
    }
    if row.state == AllocationState::Degraded {
        all.push(Condition {
            kind: "node_degraded",
            reason: row.state_reason.clone(),
            since: None,
        });
    }
    all
}
