//! Looking after machines that are in the fleet: what the look at one is, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use contract::health::{Look, LookInput, Looked, Tally};
use contract::workflow_id;
use db::PgConnection;
use db::intent::{IntentKind, NewIntent};
use db::machine::Machine;
use db::node_health::{NodeHealth, Seen};
use db::operation::NewOperation;
use domain::health::{self, Patience};
use domain::id::NodeId;
use domain::inventory::{Finding, FindingCode};
use domain::operation::OperationKind;
use domain::policy::{self, Policy, Scope};
use domain::state::NodeState;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use time::OffsetDateTime;

use crate::allocation::count;
use crate::audit;
use crate::machine::{Fault, Machines, beat};
use crate::probe::{self, Probe};
use crate::quarantine::quarantine;
use crate::refusal::Refusal;

/// Machines of one step.
const BATCH: i64 = 100;
/// Those that are looked at at the same time.
const CONCURRENCY: usize = 16;
/// Looks begin this far apart at most, so that a batch does not reach a network all at once.
const JITTER_MILLIS: u128 = 100;

/// The look at machines.
#[derive(Debug)]
pub struct HealthLooks {
    pub machines: Arc<Machines>,
}

#[activities]
impl HealthLooks {
    #[activity(definition = Look)]
    pub async fn look(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: LookInput,
    ) -> Result<Looked, ActivityError> {
        let info = ctx.info();
        // What an earlier try has looked at it need not look at twice.
        let done_since = info.scheduled_time.filter(|_| info.attempt > 1);
        let done_since = done_since.map(OffsetDateTime::from);
        Ok(beat(&ctx, look(&self.machines, input, done_since)).await?)
    }
}

/// By what a look is judged: policy of the whole platform.
#[derive(Debug, Clone, Copy)]
struct Terms {
    timeout: Duration,
    patience: Patience,
}

impl Terms {
    async fn read(conn: &mut PgConnection) -> db::Result<Self> {
        let mut value = async |policy: &'static Policy| {
            let value = db::policy::resolve(&mut *conn, policy, Scope::Platform).await;
            value.map(count)
        };
        Ok(Self {
            timeout: Duration::from_secs(value(&policy::HEALTH_TIMEOUT).await?.into()),
            patience: Patience {
                missed_looks: value(&policy::HEALTH_MISSES).await?,
                good_looks: value(&policy::HEALTH_GOOD_LOOKS).await?,
            },
        })
    }
}

async fn look(
    machines: &Machines,
    input: LookInput,
    done_since: Option<OffsetDateTime>,
) -> Result<Looked, Fault> {
    let mut conn = machines.pool.acquire().await?;
    let terms = Terms::read(&mut conn).await?;
    let mut batch = db::node_health::page(&mut conn, input.after, BATCH).await?;
    let last = batch.last().copied();
    if let Some(since) = done_since {
        let known = db::node_health::of(&mut conn, &batch).await?;
        let done = known.iter().filter(|known| known.looked_at >= since);
        batch.retain(|node| done.clone().all(|known| known.node_id != *node));
    }
    drop(conn);
    let looks = stream::iter(batch).map(|node| look_at(machines, node, terms));
    let tally =
        looks
            .buffer_unordered(CONCURRENCY)
            .try_fold(Tally::default(), async |mut tally, one| {
                tally += one;
                Ok(tally)
            });
    Ok(Looked {
        last,
        tally: tally.await?,
    })
}

async fn look_at(machines: &Machines, node: NodeId, terms: Terms) -> Result<Tally, Fault> {
    let pause = node.uuid().as_u128() % JITTER_MILLIS;
    tokio::time::sleep(Duration::from_millis(pause.try_into().unwrap_or_default())).await;
    let machine = db::machine::get(&mut *machines.pool.acquire().await?, node).await?;
    let Some(machine) = machine else {
        return Ok(Tally::default());
    };
    let one = Tally::default();
    let (one, outcome) = match machines.probe(&machine, terms.timeout).await {
        Ok(probe) if probe.findings.is_empty() => {
            record(machines, &machine, Sight::Answer(probe), terms.patience).await?;
            (Tally { well: 1, ..one }, "well")
        }
        Ok(probe) => {
            record(machines, &machine, Sight::Answer(probe), terms.patience).await?;
            (Tally { ailing: 1, ..one }, "ailing")
        }
        // So might a mistake with our own authority look: it takes as many looks as silence.
        Err(Fault::Node(code, why)) if code.as_str() != "login_refused" => {
            tracing::warn!(%node, %code, why, "a node cannot be used");
            let sight = Sight::None(health::Look::Unusable(code));
            record(machines, &machine, sight, terms.patience).await?;
            (Tally { ailing: 1, ..one }, "ailing")
        }
        Err(Fault::Node(code, why) | Fault::Away(code, why)) => {
            tracing::warn!(%node, %code, why, "a node does not answer");
            let sight = Sight::None(health::Look::Away(code));
            record(machines, &machine, sight, terms.patience).await?;
            (Tally { away: 1, ..one }, "away")
        }
        // The list of permitted addresses is ours; a mistake in it must not condemn a fleet.
        Err(Fault::Denied) => {
            tracing::error!(%node, "a node's address is no longer permitted");
            (Tally { away: 1, ..one }, "denied")
        }
        Err(other) => return Err(other),
    };
    metrics::counter!("node_health_looks_total", "outcome" => outcome).increment(1);
    Ok(one)
}

/// What came back from a machine.
enum Sight {
    Answer(Probe),
    None(health::Look),
}

impl Sight {
    /// What that means, by what was known of the machine.
    fn judged(&self, known: Option<&NodeHealth>) -> health::Look {
        let probe = match self {
            Self::Answer(probe) => probe,
            Self::None(look) => return look.clone(),
        };
        let mut findings = probe.findings.clone();
        let before = known.and_then(|known| known.boot_id.as_deref());
        if before.is_some_and(|boot_id| boot_id != probe.boot_id) {
            findings.push(Finding {
                code: FindingCode::Rebooted,
                gpu_index: None,
                detail: "it was started anew since the last look".to_owned(),
            });
            findings.sort_by_key(|finding| finding.code);
        }
        health::Look::Seen(findings)
    }
}

/// Writes down how the machine fares now, and what follows from it, in one transaction.
async fn record(
    machines: &Machines,
    machine: &Machine,
    sight: Sight,
    patience: Patience,
) -> Result<(), Fault> {
    let mut tx = machines.pool.begin().await?;
    let node = machine.node_id;
    let Some((state, known)) = db::node_health::hold(&mut tx, node).await? else {
        return Ok(());
    };
    let look = sight.judged(known.as_ref());
    let before = known.as_ref().map(|known| known.health.clone());
    let before = before.unwrap_or_default();
    let mut now = before.clone().after(&look, patience);
    if now.fault.is_none() && is_unnoticed(&mut tx, node).await? {
        now.fault = before.fault;
    }

    let code = match &look {
        health::Look::Away(_) => now.fault.as_ref().map(|fault| fault.code.clone()),
        _ => look.code(),
    };
    let mut took_out = known.as_ref().is_some_and(|known| known.took_out);
    took_out &= state == NodeState::Quarantined;
    match code {
        Some(code) if matches!(state, NodeState::Available | NodeState::Draining) => {
            quarantine(&mut tx, node, &code, workflow_id::NODE_HEALTH_SCHEDULE).await?;
            // A machine that people are emptying is theirs to bring back.
            took_out = state == NodeState::Available;
        }
        None if took_out && now.fault.is_none() && is_due(now.clean_looks, patience) => {
            bring_back(&mut tx, node).await?;
        }
        _ => {}
    }
    keep(
        &mut tx,
        machine,
        &sight,
        &look,
        known.as_ref(),
        (&now, took_out),
    )
    .await?;
    wake(&mut tx, node).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether the fault that is written down concerns somebody who has not come to know of it. It stays
/// until then, however well the machine is: after a restart, access has to be set up again.
async fn is_unnoticed(conn: &mut PgConnection, node: NodeId) -> db::Result<bool> {
    let misfits = db::node_health::misfits(conn, node).await?;
    Ok(misfits.iter().any(|misfit| !misfit.degraded))
}

/// The row, and a report where the findings are others than before.
async fn keep(
    conn: &mut PgConnection,
    machine: &Machine,
    sight: &Sight,
    look: &health::Look,
    known: Option<&NodeHealth>,
    (now, took_out): (&health::Health, bool),
) -> db::Result<()> {
    let findings = match look {
        health::Look::Away(code) | health::Look::Unusable(code) => json!([{ "code": code }]),
        health::Look::Seen(findings) => json!(findings),
    };
    let (boot_id, shown) = match sight {
        Sight::Answer(probe) => (Some(probe.boot_id.as_str()), probe.shown()),
        Sight::None(_) => (None, json!({})),
    };
    if known.is_none_or(|known| codes(&known.findings) != codes(&findings)) {
        probe::keep(conn, machine.node_id, None, "health", &findings, &shown).await?;
    }
    let seen = Seen {
        node_id: machine.node_id,
        health: now,
        findings: &findings,
        boot_id,
        took_out,
    };
    db::node_health::put(conn, &seen).await
}

/// What is compared from look to look: details such as degrees change with each.
fn codes(findings: &serde_json::Value) -> Vec<(&serde_json::Value, &serde_json::Value)> {
    let all = findings.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter()
        .map(|one| (&one["code"], &one["gpu_index"]))
        .collect()
}

/// Whether a machine that is well again is to be checked now: once it is, and should the check not
/// agree, after twice as many clean looks as the last time.
fn is_due(clean_looks: u32, patience: Patience) -> bool {
    let enough = patience.good_looks.max(1);
    clean_looks.is_multiple_of(enough) && (clean_looks / enough).is_power_of_two()
}

/// Orders the check that takes it into the fleet again, unless one is ordered.
async fn bring_back(conn: &mut PgConnection, node: NodeId) -> Result<(), Refusal> {
    if !db::order::open(conn, node.uuid()).await?.is_empty() {
        return Ok(());
    }
    let deadline = db::policy::resolve(conn, &policy::OPERATION_DEADLINE, Scope::Platform).await?;
    let workflow_id = workflow_id::node(node);
    let order = NewOperation {
        id: db::id::fresh(),
        org_id: None,
        kind: OperationKind::NodeProbe,
        resource_id: node.uuid(),
        workflow_id: &workflow_id,
        requested_by: None,
        params: json!({}),
        deadline_seconds: deadline,
    };
    let order = db::operation::insert(conn, &order).await?;
    let owed = NewIntent {
        kind: IntentKind::Wake,
        org_id: None,
        workflow_type: workflow_id::NODE_ENROLLMENT,
        workflow_id: &workflow_id,
        resource_id: node.uuid(),
        operation_id: Some(order.id),
    };
    db::intent::append(conn, &owed).await?;
    let by = workflow_id::NODE_HEALTH_SCHEDULE;
    audit::node(conn, by, node, "node.probe", None).await
}

/// Has everybody look whose state does not fit, with each look anew: a wake may have come too early.
async fn wake(conn: &mut PgConnection, node: NodeId) -> db::Result<()> {
    for misfit in db::node_health::misfits(conn, node).await? {
        let owed = NewIntent {
            kind: IntentKind::Wake,
            org_id: Some(misfit.org_id),
            workflow_type: workflow_id::ALLOCATION,
            workflow_id: &workflow_id::allocation(misfit.allocation_id),
            resource_id: misfit.allocation_id.uuid(),
            operation_id: None,
        };
        db::intent::append(conn, &owed).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_come_further_and_further_apart() {
        let patience = Patience {
            missed_looks: 3,
            good_looks: 3,
        };
        let due: Vec<u32> = (0..50).filter(|looks| is_due(*looks, patience)).collect();
        assert_eq!(due, [3, 6, 12, 24, 48]);
    }
}
