//! Zero: the end of everything that an organization has.

use contract::workflow_id;
use db::PgPool;
use db::allocation::transition;
use db::billing::guard;
use db::intent::{IntentKind, NewIntent};
use domain::id::OrgId;
use domain::reason::ReleaseReason;

use crate::allocation::count;
use crate::audit;
use crate::refusal::Refusal;

/// Allocations of one transaction.
const BATCH: i64 = 50;

/// Use ends at the instant of zero, whenever this runs; the machines are taken back by the allocations'
/// own workflows, as after a delete.
pub(super) async fn release(pool: &PgPool, org: OrgId) -> Result<u32, Refusal> {
    let mut released = 0;
    loop {
        let mut tx = pool.begin().await?;
        let account = guard::hold(&mut tx, org).await?;
        let Some(at) = account.and_then(|account| account.depleted_at) else {
            break;
        };
        let live = guard::live(&mut tx, org, BATCH).await?;
        if live.is_empty() {
            break;
        }
        for id in live {
            let Some(held) = transition::hold(&mut tx, id).await? else {
                continue;
            };
            if !db::allocation::release_for_lack_of_money(&mut tx, id, at).await? {
                continue;
            }
            db::allocation::close_usage(&mut tx, id, at).await?;
            let reason = ReleaseReason::BalanceDepleted.code();
            audit::allocation(&mut tx, &held, "allocation.release", Some(&reason)).await?;
            let intent = NewIntent {
                kind: IntentKind::Wake,
                org_id: Some(org),
                workflow_type: workflow_id::ALLOCATION,
                workflow_id: &workflow_id::allocation(id),
                resource_id: id.uuid(),
                operation_id: None,
            };
            db::intent::append(&mut tx, &intent).await?;
            released += 1;
        }
        tx.commit().await?;
    }
    metrics::counter!("balance_releases_total").increment(released);
    Ok(count(released.try_into().unwrap_or(i64::MAX)))
}
