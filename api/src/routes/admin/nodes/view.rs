//! How a machine looks to an operator.

use db::node::{Node, NodeGpu};
use db::node_health::NodeHealth;
use domain::id::NodeId;
use domain::state::{GpuState, NodeState};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::Problem;
use crate::resource::{Recall, Resource};

/// A machine with GPUs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct AdminNodeView {
    #[schema(value_type = String, example = "node_01890a5d96ee7f8cb3f4d2f0a8b1c2d3")]
    pub id: NodeId,
    pub name: String,
    pub sku: String,
    pub host: String,
    pub port: i32,
    /// Pinned when the node was created; any other key ends the connection.
    pub host_key: String,
    pub expected_gpu_count: i32,
    pub expected_driver_version: Option<String>,
    pub driver_version: Option<String>,
    pub boot_id: Option<String>,
    #[schema(value_type = String, example = "available")]
    pub state: NodeState,
    /// Stable code of why it takes no reservations.
    pub state_reason: Option<String>,
    pub gpus: Vec<AdminGpuView>,
    /// What the health sweep knows; `null` before its first look.
    pub health: Option<HealthView>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_probed_at: Option<OffsetDateTime>,
    /// When work on it begins, while it is drained for that.
    #[serde(with = "time::serde::rfc3339::option")]
    pub maintenance_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    #[serde(skip)]
    version: i64,
}

impl Resource for AdminNodeView {
    const KIND: &'static str = "node";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/nodes/{}", self.id)
    }
}

impl Recall for AdminNodeView {
    async fn recall(_: &App, conn: &mut db::PgConnection, id: &str) -> db::Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        match db::node::get(conn, id).await? {
            Some(row) => Self::load(conn, row).await.map(Some),
            None => Ok(None),
        }
    }
}

/// How a machine fares, from look to look.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NodeHealth)]
pub(crate) struct HealthView {
    #[serde(with = "time::serde::rfc3339")]
    pub looked_at: OffsetDateTime,
    /// Looks in a row without an answer.
    pub missed_looks: u32,
    /// Stable code of what keeps allocations from their work; `null`: nothing does.
    pub fault: Option<String>,
    /// Indexes of the GPUs that it concerns; `null`: the whole machine.
    pub fault_gpus: Option<Vec<u32>>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub fault_since: Option<OffsetDateTime>,
    /// What the last look found, faults or not: `code`, `gpu_index`, `detail`.
    #[schema(value_type = Vec<Object>)]
    pub findings: serde_json::Value,
}

impl From<NodeHealth> for HealthView {
    fn from(row: NodeHealth) -> Self {
        let (fault, fault_gpus) = row
            .health
            .fault
            .map(|fault| (fault.code.to_string(), fault.gpus))
            .unzip();
        Self {
            looked_at: row.looked_at,
            missed_looks: row.health.missed_looks,
            fault,
            fault_gpus: fault_gpus.flatten(),
            fault_since: row.fault_since,
            findings: row.findings,
        }
    }
}

/// A GPU as enrollment found it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NodeGpu)]
pub(crate) struct AdminGpuView {
    pub index: i32,
    pub uuid: String,
    pub model: String,
    pub memory_bytes: i64,
    #[schema(value_type = String, example = "free")]
    pub state: GpuState,
}

impl AdminNodeView {
    /// Reads a machine that is there.
    pub(super) async fn read(conn: &mut db::PgConnection, id: NodeId) -> Result<Self, Problem> {
        let row = db::node::get(conn, id).await?;
        let row = row.ok_or_else(|| Problem::not_found(Self::KIND))?;
        Ok(Self::load(conn, row).await?)
    }

    pub(crate) async fn load(conn: &mut db::PgConnection, row: Node) -> db::Result<Self> {
        let mut views = Self::load_all(conn, vec![row]).await?;
        Ok(views.remove(0))
    }

    /// Reads what belongs to a page of machines: a fixed number of statements.
    pub(crate) async fn load_all(
        conn: &mut db::PgConnection,
        rows: Vec<Node>,
    ) -> db::Result<Vec<Self>> {
        let ids: Vec<NodeId> = rows.iter().map(|row| row.id).collect();
        let gpus = db::node::gpus(conn, &ids).await?;
        let mut health = db::node_health::of(conn, &ids).await?;
        let views = rows.into_iter().map(|row| {
            let id = row.id;
            let mut known = health.extract_if(.., |health| health.node_id == id);
            view(row, &gpus, known.next())
        });
        Ok(views.collect())
    }
}

fn view(row: Node, gpus: &[NodeGpu], health: Option<NodeHealth>) -> AdminNodeView {
    AdminNodeView {
        health: health.map(HealthView::from),
        gpus: gpus
            .iter()
            .filter(|gpu| gpu.node_id == row.id)
            .map(|gpu| AdminGpuView {
                index: gpu.index,
                uuid: gpu.uuid.clone(),
                model: gpu.model.clone(),
                memory_bytes: gpu.memory_bytes,
                state: gpu.state,
            })
            .collect(),
        id: row.id,
        name: row.name,
        sku: row.sku,
        host: row.host,
        port: row.port,
        host_key: row.host_key,
        expected_gpu_count: row.expected_gpu_count,
        expected_driver_version: row.expected_driver_version,
        driver_version: row.driver_version,
        boot_id: row.boot_id,
        state: row.state,
        state_reason: row.state_reason,
        last_probed_at: row.last_probed_at,
        maintenance_at: row.maintenance_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    }
}
