//! Machines as the operator sees them. What a probe needs of one is in `machine`, what it found
//! in `probe_report`.

use domain::id::{AllocationId, NodeId, OrgId, ProbeReportId, ProjectId};
use domain::state::{NodeState, StateMachine};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, parse};

/// One machine as its row says.
#[derive(Debug, Clone)]
pub struct Node {
    pub id: NodeId,
    pub name: String,
    pub sku: String,
    pub host: String,
    pub port: i32,
    pub host_key: String,
    pub expected_gpu_count: i32,
    pub expected_driver_version: Option<String>,
    pub driver_version: Option<String>,
    pub boot_id: Option<String>,
    pub state: NodeState,
    /// Why it is in a state that needs a reason.
    pub state_reason: Option<String>,
    pub last_probed_at: Option<OffsetDateTime>,
    /// When work on it begins, while it is draining or in maintenance.
    pub maintenance_at: Option<OffsetDateTime>,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// A machine as an operator announces it; its row starts as `enrolled`.
#[derive(Debug, Clone)]
pub struct NewNode<'a> {
    pub id: NodeId,
    pub name: &'a str,
    pub sku: &'a str,
    pub host: &'a str,
    pub port: i32,
    /// The only key that the machine may show.
    pub host_key: &'a str,
    pub expected_gpu_count: i32,
    pub expected_driver_version: Option<&'a str>,
}

pub async fn insert(conn: &mut PgConnection, new: &NewNode<'_>) -> Result<()> {
    sqlx::query!(
        "insert into nodes
           (id, name, sku, host, port, host_key, expected_gpu_count, expected_driver_version)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.id.uuid(),
        new.name,
        new.sku,
        new.host,
        new.port,
        new.host_key,
        new.expected_gpu_count,
        new.expected_driver_version,
    )
    .execute(conn)
    .await?;
    Ok(())
}

struct Row {
    id: Uuid,
    name: String,
    sku: String,
    host: String,
    port: i32,
    host_key: String,
    expected_gpu_count: i32,
    expected_driver_version: Option<String>,
    driver_version: Option<String>,
    boot_id: Option<String>,
    state: String,
    state_reason: Option<String>,
    last_probed_at: Option<OffsetDateTime>,
    maintenance_at: Option<OffsetDateTime>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<Row> for Node {
    type Error = crate::Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            state: parse("nodes", "state", row.id, &row.state)?,
            id: row.id.into(),
            name: row.name,
            sku: row.sku,
            host: row.host,
            port: row.port,
            host_key: row.host_key,
            expected_gpu_count: row.expected_gpu_count,
            expected_driver_version: row.expected_driver_version,
            driver_version: row.driver_version,
            boot_id: row.boot_id,
            state_reason: row.state_reason,
            last_probed_at: row.last_probed_at,
            maintenance_at: row.maintenance_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

macro_rules! select {
    ($tail:tt, $($arg:expr),+ $(,)?) => {
        sqlx::query_as!(
            Row,
            "select id, name, sku, host, port, host_key, expected_gpu_count,
                    expected_driver_version, driver_version, boot_id, state, state_reason,
                    last_probed_at, maintenance_at, version, created_at, updated_at
             from nodes "
                + $tail,
            $($arg),+
        )
    };
}

pub async fn get(conn: &mut PgConnection, id: NodeId) -> Result<Option<Node>> {
    select!("where id = $1", id.uuid())
        .fetch_optional(conn)
        .await?
        .map(Node::try_from)
        .transpose()
}

/// The same, held until the transaction ends.
pub async fn lock(conn: &mut PgConnection, id: NodeId) -> Result<Option<Node>> {
    select!("where id = $1 for update", id.uuid())
        .fetch_optional(conn)
        .await?
        .map(Node::try_from)
        .transpose()
}

/// Machines, newest first, from the one after `after`; of one SKU or state, if one is named.
pub async fn list(
    conn: &mut PgConnection,
    sku: Option<&str>,
    state: Option<NodeState>,
    after: Option<NodeId>,
    limit: i64,
) -> Result<Vec<Node>> {
    select!(
        "where ($1::text is null or sku = $1)
           and ($2::text is null or state = $2)
           and ($3::uuid is null or id < $3)
         order by id desc limit $4",
        sku,
        state.map(StateMachine::as_str),
        after.map(NodeId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Node::try_from)
    .collect()
}

/// Moves a machine from the state it is known to be in. `false`: it is not in that state now.
pub async fn set_state(
    conn: &mut PgConnection,
    id: NodeId,
    from: NodeState,
    to: NodeState,
    reason: Option<&str>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update nodes set state = $3, state_reason = $4 where id = $1 and state = $2",
        id.uuid(),
        from.as_str(),
        to.as_str(),
        reason,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Says when work on a machine begins; `None`: nobody says, or there is none.
pub async fn set_maintenance(
    conn: &mut PgConnection,
    id: NodeId,
    at: Option<OffsetDateTime>,
) -> Result<()> {
    sqlx::query!(
        "update nodes set maintenance_at = $2 where id = $1 and maintenance_at is distinct from $2",
        id.uuid(),
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An allocation that has a machine, or is about to.
#[derive(Debug, Clone, Copy)]
pub struct Tenancy {
    pub allocation_id: AllocationId,
    pub org_id: OrgId,
    pub project_id: ProjectId,
}

/// Who is on a machine.
pub async fn tenancies(conn: &mut PgConnection, id: NodeId) -> Result<Vec<Tenancy>> {
    let rows = sqlx::query!(
        "select a.id, a.org_id, a.project_id
         from allocation_nodes an join allocations a on a.id = an.allocation_id
         where an.node_id = $1 and an.released_at is null order by a.id",
        id.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Tenancy {
            allocation_id: row.id.into(),
            org_id: row.org_id.into(),
            project_id: row.project_id.into(),
        })
        .collect())
}

/// How many allocations have a machine, or are about to.
pub async fn allocations(conn: &mut PgConnection, id: NodeId) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from allocation_nodes where node_id = $1 and released_at is null"#,
        id.uuid(),
    )
    .fetch_one(conn)
    .await?;
    Ok(count)
}

/// A GPU of a machine, as the operator sees it.
#[derive(Debug, Clone)]
pub struct NodeGpu {
    pub node_id: NodeId,
    pub index: i32,
    pub uuid: String,
    pub model: String,
    pub memory_bytes: i64,
    pub state: domain::state::GpuState,
}

/// GPUs of these machines, by index.
pub async fn gpus(conn: &mut PgConnection, nodes: &[NodeId]) -> Result<Vec<NodeGpu>> {
    let ids: Vec<Uuid> = nodes.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "select id, node_id, gpu_index, uuid, model, memory_bytes, state from gpus
         where node_id = any($1) order by node_id, gpu_index",
        &ids,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(NodeGpu {
                state: parse("gpus", "state", row.id, &row.state)?,
                node_id: row.node_id.into(),
                index: row.gpu_index,
                uuid: row.uuid,
                model: row.model,
                memory_bytes: row.memory_bytes,
            })
        })
        .collect()
}

/// What one look at a machine found.
#[derive(Debug, Clone)]
pub struct ProbeReport {
    pub id: ProbeReportId,
    pub node_id: NodeId,
    pub allocation_id: Option<AllocationId>,
    pub kind: String,
    pub passed: bool,
    /// List of `{code, detail}`.
    pub findings: serde_json::Value,
    pub report: serde_json::Value,
    pub created_at: OffsetDateTime,
}

/// Reports of a machine, newest first, from the one after `after`.
pub async fn probe_reports(
    conn: &mut PgConnection,
    node: NodeId,
    after: Option<ProbeReportId>,
    limit: i64,
) -> Result<Vec<ProbeReport>> {
    let rows = sqlx::query!(
        "select id, node_id, allocation_id, kind, passed, findings, report, created_at
         from probe_reports where node_id = $1 and ($2::uuid is null or id < $2)
         order by id desc limit $3",
        node.uuid(),
        after.map(ProbeReportId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ProbeReport {
            id: row.id.into(),
            node_id: row.node_id.into(),
            allocation_id: row.allocation_id.map(AllocationId::from_uuid),
            kind: row.kind,
            passed: row.passed,
            findings: row.findings,
            report: row.report,
            created_at: row.created_at,
        })
        .collect())
}
