//! The lease: longer, or about to end.

use db::allocation::transition;
use db::{PgConnection, PgPool};
use domain::event::{AllocationExtended, AllocationLeaseEnding};
use domain::id::{AllocationId, OperationId, OrgId, ProjectId};
use domain::policy::{self, Scope};
use domain::reason::Code;
use domain::state::{AllocationState, OperationState};

use super::{hold, publish};
use crate::audit;
use crate::balance;
use crate::refusal::Refusal;

/// Adds the ordered seconds to the lease, or fails the operation with the reason.
pub(super) async fn extend(pool: &PgPool, operation: OperationId) -> Result<(), Refusal> {
    let mut tx = pool.begin().await?;
    let Some(order) = db::order::get(&mut tx, operation).await? else {
        return Ok(());
    };
    let held = hold(&mut tx, order.resource_id.into()).await?;
    let scope = Scope::Project(held.org_id, held.project_id);
    let most = db::policy::resolve(&mut tx, &policy::LEASE_MAX, scope).await?;
    let seconds = order.params["lease_seconds"].as_i64().unwrap_or_default();
    let in_use = matches!(
        held.state,
        AllocationState::Active | AllocationState::Degraded
    ) && held.release_requested_at.is_none();
    let refused = if !in_use {
        Some(Code::allocation_ended())
    } else if db::machine::is_in_the_way(&mut tx, held.id, seconds).await? {
        Some(Code::maintenance_planned())
    } else if let Some(lease_ends_at) =
        transition::extend_lease(&mut tx, held.id, seconds, most).await?
    {
        let event = AllocationExtended {
            allocation_id: held.id,
            project_id: held.project_id,
            lease_ends_at: lease_ends_at.into(),
        };
        publish(&mut tx, &held, event).await?;
        balance::wake(&mut tx, held.org_id).await?;
        None
    } else {
        Some(Code::lease_too_long())
    };
    let state = match refused {
        None => OperationState::Succeeded,
        Some(_) => OperationState::Failed,
    };
    db::order::finish(&mut tx, operation, state, refused.as_ref()).await?;
    audit::allocation(&mut tx, &held, "allocation.extend", refused.as_ref()).await?;
    tx.commit().await?;
    Ok(())
}

/// How long before its end a lease's tenant is told, by policy.
pub(super) async fn distances(
    conn: &mut PgConnection,
    org: OrgId,
    project: ProjectId,
) -> Result<[i64; 2], Refusal> {
    let scope = Scope::Project(org, project);
    Ok([
        db::policy::resolve(conn, &policy::LEASE_WARNING, scope).await?,
        db::policy::resolve(conn, &policy::LEASE_LAST_WARNING, scope).await?,
    ])
}

/// Tells the tenant, if that is due still.
pub(super) async fn warn(pool: &PgPool, id: AllocationId) -> Result<(), Refusal> {
    let mut tx = pool.begin().await?;
    let held = hold(&mut tx, id).await?;
    let view = db::allocation::queue::view(&mut tx, id).await?;
    let lease = view
        .filter(|view| !view.release_requested)
        .and_then(|view| view.lease);
    let (Some(lease), Some(lease_ends_at)) = (lease, held.lease_ends_at) else {
        return Ok(());
    };
    let distances = distances(&mut tx, held.org_id, held.project_id).await?;
    let next = lease.next_warning(distances);
    let Some(due) = next.filter(|distance| lease.remaining_seconds <= *distance) else {
        return Ok(());
    };
    transition::set_lease_warned(&mut tx, id, due).await?;
    let event = AllocationLeaseEnding {
        allocation_id: id,
        project_id: held.project_id,
        lease_ends_at: lease_ends_at.into(),
    };
    publish(&mut tx, &held, event).await?;
    tx.commit().await?;
    Ok(())
}
