//! Writing down what somebody asked for.

use std::collections::BTreeMap;

use domain::envelope::Sealed;
use domain::envelope::column::SchedulerRequest;
use domain::id::{AllocationId, OrgId, ProjectId, SshKeyId, UserId};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Result;

/// A request that was found sound; its row starts as `requested`.
#[derive(Debug)]
pub struct NewAllocation<'a> {
    pub id: AllocationId,
    pub org_id: OrgId,
    pub project_id: ProjectId,
    pub created_by: UserId,
    pub name: &'a str,
    pub sku: &'a str,
    pub gpu_count: i32,
    pub labels: &'a BTreeMap<String, String>,
    pub queue_timeout_seconds: i32,
    pub lease_seconds: i32,
    pub scheduler_request: Option<&'a Sealed<SchedulerRequest>>,
}

pub async fn insert(conn: &mut PgConnection, new: &NewAllocation<'_>) -> Result<()> {
    sqlx::query!(
        "insert into allocations
           (id, org_id, project_id, created_by, name, sku, gpu_count, labels,
            queue_timeout_seconds, lease_seconds, scheduler_metadata)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
                 jsonb_strip_nulls(jsonb_build_object('scheduler_request_enc', $11::envelope)))",
        new.id.uuid(),
        new.org_id.uuid(),
        new.project_id.uuid(),
        new.created_by.uuid(),
        new.name,
        new.sku,
        new.gpu_count,
        Json(new.labels) as _,
        new.queue_timeout_seconds,
        new.lease_seconds,
        new.scheduler_request.map(crate::sealed::bind) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a request leans on, as far as it is there.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Whether the organization has the project.
    pub project_stands: bool,
    /// `None`: nothing is sold under that name.
    pub gpus_per_node: Option<i32>,
    /// Which of the public keys the organization has.
    pub ssh_keys: Vec<SshKeyId>,
}

/// Looks at project, SKU and public keys in one round trip. The project and the keys that are
/// found cannot be deleted until the transaction ends.
pub async fn ground(
    conn: &mut PgConnection,
    org: OrgId,
    project: ProjectId,
    sku: &str,
    keys: &[SshKeyId],
) -> Result<Ground> {
    let keys: Vec<Uuid> = keys.iter().map(|id| id.uuid()).collect();
    let row = sqlx::query!(
        r#"with project as (
             select id from projects where id = $1 and org_id = $2 and deleted_at is null for share
           ), keys as (
             select id from ssh_keys where id = any($3) and org_id = $2 and deleted_at is null
             order by id for share
           )
           select exists (select from project) as "project_stands!",
                  (select gpus_per_node from skus where name = $4 and retired_at is null) as gpus_per_node,
                  array(select id from keys) as "ssh_keys!""#,
        project.uuid(),
        org.uuid(),
        &keys,
        sku,
    )
    .fetch_one(conn)
    .await?;
    Ok(Ground {
        project_stands: row.project_stands,
        gpus_per_node: row.gpus_per_node,
        ssh_keys: row.ssh_keys.into_iter().map(SshKeyId::from).collect(),
    })
}

/// Names the public keys that may log in.
pub async fn set_ssh_keys(
    conn: &mut PgConnection,
    org: OrgId,
    allocation: AllocationId,
    keys: &[SshKeyId],
) -> Result<()> {
    let keys: Vec<Uuid> = keys.iter().map(|id| id.uuid()).collect();
    sqlx::query!(
        "insert into allocation_ssh_keys (allocation_id, ssh_key_id, org_id)
         select $1, key, $2 from unnest($3::uuid[]) as key",
        allocation.uuid(),
        org.uuid(),
        &keys,
    )
    .execute(conn)
    .await?;
    Ok(())
}
