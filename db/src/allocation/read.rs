//! Showing allocations and what they hold, and the two fields that people may change.

use std::collections::BTreeMap;

use domain::id::{AllocationId, GpuId, NodeId, OrgId, ProjectId, SshKeyId};
use domain::state::{AllocationState, StateMachine};
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Allocation, HeldDevice, HeldMachine};
use crate::error::{Result, parse};

struct Row {
    id: Uuid,
    org_id: Uuid,
    project_id: Uuid,
    created_by: Uuid,
    name: String,
    sku: String,
    gpu_count: i32,
    node_count: i32,
    labels: Json<BTreeMap<String, String>>,
    state: String,
    state_reason: Option<String>,
    queue_timeout_seconds: i32,
    queued_at: Option<OffsetDateTime>,
    lease_seconds: i32,
    lease_ends_at: Option<OffsetDateTime>,
    lease_warned_seconds: Option<i32>,
    release_requested_at: Option<OffsetDateTime>,
    release_reason: Option<String>,
    attempts: i32,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    active_at: Option<OffsetDateTime>,
    ended_at: Option<OffsetDateTime>,
}

impl TryFrom<Row> for Allocation {
    type Error = crate::Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            state: parse("allocations", "state", row.id, &row.state)?,
            id: row.id.into(),
            org_id: row.org_id.into(),
            project_id: row.project_id.into(),
            created_by: row.created_by.into(),
            name: row.name,
            sku: row.sku,
            gpu_count: row.gpu_count,
            node_count: row.node_count,
            labels: row.labels.0,
            state_reason: row.state_reason,
            queue_timeout_seconds: row.queue_timeout_seconds,
            queued_at: row.queued_at,
            lease_seconds: row.lease_seconds,
            lease_ends_at: row.lease_ends_at,
            lease_warned_seconds: row.lease_warned_seconds,
            release_requested_at: row.release_requested_at,
            release_reason: row.release_reason,
            attempts: row.attempts,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            active_at: row.active_at,
            ended_at: row.ended_at,
        })
    }
}

macro_rules! select {
    ($tail:tt, $($arg:expr),+ $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select id, org_id, project_id, created_by, name, sku, gpu_count, node_count,
                      labels as "labels: Json<BTreeMap<String, String>>",
                      state, state_reason, queue_timeout_seconds, queued_at, lease_seconds,
                      lease_ends_at, lease_warned_seconds, release_requested_at, release_reason, attempts, version,
                      created_at, updated_at, active_at, ended_at
               from allocations "#
                + $tail,
            $($arg),+
        )
    };
}

/// One allocation of an organization.
pub async fn get(
    conn: &mut PgConnection,
    org: OrgId,
    id: AllocationId,
) -> Result<Option<Allocation>> {
    select!("where id = $1 and org_id = $2", id.uuid(), org.uuid())
        .fetch_optional(conn)
        .await?
        .map(Allocation::try_from)
        .transpose()
}

/// The same, held until the transaction ends: orders of one allocation are written one by one.
pub async fn lock(
    conn: &mut PgConnection,
    org: OrgId,
    id: AllocationId,
) -> Result<Option<Allocation>> {
    select!(
        "where id = $1 and org_id = $2 for update",
        id.uuid(),
        org.uuid()
    )
    .fetch_optional(conn)
    .await?
    .map(Allocation::try_from)
    .transpose()
}

/// What a list is narrowed to; the default is everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub project: Option<ProjectId>,
    /// Any of these; empty: all.
    pub states: Vec<AllocationState>,
    /// Labels with these values.
    pub labels: BTreeMap<String, String>,
    /// Labels with any value.
    pub label_keys: Vec<String>,
}

/// Allocations of an organization, newest first, from the one after `after`.
pub async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter,
    after: Option<AllocationId>,
    limit: i64,
) -> Result<Vec<Allocation>> {
    let states: Vec<String> = filter
        .states
        .iter()
        .map(|state| state.as_str().to_owned())
        .collect();
    select!(
        "where org_id = $1
           and ($2::uuid is null or id < $2)
           and ($3::uuid is null or project_id = $3)
           and (cardinality($4::text[]) = 0 or state = any($4))
           and labels @> $5 and labels ?& $6
         order by id desc limit $7",
        org.uuid(),
        after.map(AllocationId::uuid),
        filter.project.map(ProjectId::uuid),
        &states,
        Json(&filter.labels) as _,
        &filter.label_keys,
        limit,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Allocation::try_from)
    .collect()
}

/// Renames or relabels; `None` leaves a field alone.
pub async fn update(
    conn: &mut PgConnection,
    org: OrgId,
    id: AllocationId,
    name: Option<&str>,
    labels: Option<&BTreeMap<String, String>>,
) -> Result<Allocation> {
    sqlx::query_as!(
        Row,
        r#"update allocations set name = coalesce($3, name), labels = coalesce($4, labels)
           where id = $1 and org_id = $2
           returning id, org_id, project_id, created_by, name, sku, gpu_count, node_count,
                     labels as "labels: Json<BTreeMap<String, String>>",
                     state, state_reason, queue_timeout_seconds, queued_at, lease_seconds,
                     lease_ends_at, lease_warned_seconds, release_requested_at, release_reason, attempts, version,
                     created_at, updated_at, active_at, ended_at"#,
        id.uuid(),
        org.uuid(),
        name,
        labels.map(Json) as _,
    )
    .fetch_one(conn)
    .await?
    .try_into()
}

/// Public keys that may log in to an allocation.
pub async fn ssh_keys(
    conn: &mut PgConnection,
    org: OrgId,
    allocations: &[AllocationId],
) -> Result<Vec<(AllocationId, SshKeyId)>> {
    let ids: Vec<Uuid> = allocations.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "select allocation_id, ssh_key_id from allocation_ssh_keys
         where allocation_id = any($1) and org_id = $2 order by ssh_key_id",
        &ids,
        org.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.allocation_id.into(), row.ssh_key_id.into()))
        .collect())
}

/// Machines that these allocations have now.
pub async fn machines(
    conn: &mut PgConnection,
    org: OrgId,
    allocations: &[AllocationId],
) -> Result<Vec<HeldMachine>> {
    let ids: Vec<Uuid> = allocations.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"select allocation_id as "allocation_id!", node_id as "node_id!", host as "host!",
                  port as "port!", host_key as "host_key!", receipt,
                  draining as "draining!", maintenance_at
           from allocation_machines
           where allocation_id = any($1) and org_id = $2 and released_at is null
           order by allocation_id, attempt"#,
        &ids,
        org.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| HeldMachine {
            allocation_id: row.allocation_id.into(),
            node_id: row.node_id.into(),
            host: row.host,
            port: row.port,
            host_key: row.host_key,
            receipt: row.receipt,
            draining: row.draining,
            maintenance_at: row.maintenance_at,
        })
        .collect())
}

/// GPUs that these allocations have now.
pub async fn devices(
    conn: &mut PgConnection,
    org: OrgId,
    allocations: &[AllocationId],
) -> Result<Vec<HeldDevice>> {
    let ids: Vec<Uuid> = allocations.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"select allocation_id as "allocation_id!", gpu_id as "gpu_id!", node_id as "node_id!",
                  gpu_index as "gpu_index!", uuid as "uuid!", model as "model!"
           from allocation_devices
           where allocation_id = any($1) and org_id = $2 and released_at is null
           order by allocation_id, gpu_index"#,
        &ids,
        org.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| HeldDevice {
            allocation_id: row.allocation_id.into(),
            gpu_id: GpuId::from_uuid(row.gpu_id),
            node_id: NodeId::from_uuid(row.node_id),
            index: row.gpu_index,
            uuid: row.uuid,
            model: row.model,
        })
        .collect())
}

/// Which of these allocations have an operation that is open past its deadline.
pub async fn stuck(
    conn: &mut PgConnection,
    org: OrgId,
    allocations: &[AllocationId],
) -> Result<Vec<AllocationId>> {
    let ids: Vec<Uuid> = allocations.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_scalar!(
        "select distinct resource_id from operations
         where resource_id = any($1) and org_id = $2
           and state in ('pending', 'running') and deadline_at < clock_timestamp()",
        &ids,
        org.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(AllocationId::from_uuid).collect())
}
