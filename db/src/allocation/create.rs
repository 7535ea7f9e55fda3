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

/// Whether the organization has this project; it cannot be deleted until the transaction ends.
pub async fn project_stands(
    conn: &mut PgConnection,
    org: OrgId,
    project: ProjectId,
) -> Result<bool> {
    let found = sqlx::query_scalar!(
        "select id from projects where id = $1 and org_id = $2 and deleted_at is null for share",
        project.uuid(),
        org.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Which of these public keys the organization has, locked against deletion until the transaction
/// ends.
pub async fn known_ssh_keys(
    conn: &mut PgConnection,
    org: OrgId,
    wanted: &[SshKeyId],
) -> Result<Vec<SshKeyId>> {
    let wanted: Vec<Uuid> = wanted.iter().map(|id| id.uuid()).collect();
    let known = sqlx::query_scalar!(
        "select id from ssh_keys where id = any($1) and org_id = $2 and deleted_at is null
         order by id for share",
        &wanted,
        org.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(known.into_iter().map(SshKeyId::from_uuid).collect())
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
