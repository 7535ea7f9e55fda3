//! Zero: the end of everything that an organization has.

use contract::workflow_id;
use db::allocation::transition;
use db::billing::guard;
use db::intent::{IntentKind, NewIntent};
use db::{PgConnection, PgPool};
use domain::id::{AllocationId, OrgId};
use domain::reason::ReleaseReason;
use time::OffsetDateTime;

use super::look::assess;
use crate::allocation::count;
use crate::audit;
use crate::refusal::Refusal;

/// Use ends at the instant of zero, whenever this runs; the machines are taken back by the allocations'
/// own workflows, as after a delete. One transaction an allocation, and in each the balance is added up
/// anew: money that comes meanwhile saves what is left.
pub(super) async fn release(pool: &PgPool, org: OrgId) -> Result<u32, Refusal> {
    let mut released = 0;
    loop {
        let mut tx = pool.begin().await?;
        let Some(at) = zero(&mut tx, org).await? else {
            break;
        };
        let live = guard::next_live(&mut tx, org).await?;
        match live {
            Some(id) => end(&mut tx, org, id, at).await?,
            // What somebody else ended later than that.
            None => released += guard::cut(&mut tx, org, at).await?,
        }
        tx.commit().await?;
        if live.is_none() {
            break;
        }
        released += 1;
        metrics::counter!("balance_releases_total").increment(1);
    }
    Ok(count(released.try_into().unwrap_or(i64::MAX)))
}

/// The instant of zero, if it has passed.
async fn zero(conn: &mut PgConnection, org: OrgId) -> Result<Option<OffsetDateTime>, Refusal> {
    let assessed = assess(conn, org).await?;
    Ok(assessed.and_then(|assessed| assessed.note.depleted_at))
}

async fn end(
    conn: &mut PgConnection,
    org: OrgId,
    id: AllocationId,
    zero: OffsetDateTime,
) -> Result<(), Refusal> {
    let held = transition::hold(&mut *conn, id).await?;
    let held = held.ok_or_else(|| Refusal::conflict(id, "there is no such allocation"))?;
    let fault = db::node_health::fault_of(&mut *conn, id).await?;
    let ends = [held.lease_ends_at, fault.map(|fault| fault.since)];
    let at = ends.into_iter().flatten().fold(zero, OffsetDateTime::min);
    db::allocation::release_for_lack_of_money(&mut *conn, id, at).await?;
    db::allocation::close_usage(&mut *conn, id, at).await?;
    let reason = ReleaseReason::BalanceDepleted.code();
    audit::allocation(&mut *conn, &held, "allocation.release", Some(&reason)).await?;
    let intent = NewIntent {
        kind: IntentKind::Wake,
        org_id: Some(org),
        workflow_type: workflow_id::ALLOCATION,
        workflow_id: &workflow_id::allocation(id),
        resource_id: id.uuid(),
        operation_id: None,
    };
    db::intent::append(conn, &intent).await?;
    Ok(())
}
