//! Steps of a node's check in the database; the check itself is in `node`.

use std::sync::Arc;

use contract::node::{Admit, Admitted, Begin, NodeFault, NodeInput, NodeStep, Quarantine};
use contract::workflow_id;
use db::node::Node;
use db::order::Order;
use db::{PgConnection, PgPool};
use domain::event::{NodeAvailable, NodeQuarantined};
use domain::id::NodeId;
use domain::operation::OperationKind;
use domain::policy::{self, Scope};
use domain::reason::Code;
use domain::state::{NodeState, OperationState, StateMachine, StepState};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::allocation::{count, name_run, record_step};
use crate::audit;
use crate::refusal::Refusal;

const KINDS: [OperationKind; 2] = [OperationKind::NodeEnroll, OperationKind::NodeProbe];

/// The steps, on a pool of the role `berth_worker`.
#[derive(Debug)]
pub struct Enrollment {
    pub pool: PgPool,
}

#[activities]
impl Enrollment {
    #[activity(definition = Begin)]
    pub async fn begin(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: NodeInput,
    ) -> Result<Option<NodeStep>, ActivityError> {
        name_run(&self.pool, &ctx, input.node_id.uuid()).await?;
        Ok(begin(&self.pool, input.node_id).await?)
    }

    #[activity(definition = Admit)]
    pub async fn admit(
        self: Arc<Self>,
        _ctx: ActivityContext,
        check: NodeStep,
    ) -> Result<Admitted, ActivityError> {
        Ok(admit(&self.pool, check).await?)
    }

    #[activity(definition = Quarantine)]
    pub async fn quarantine(
        self: Arc<Self>,
        _ctx: ActivityContext,
        fault: NodeFault,
    ) -> Result<(), ActivityError> {
        Ok(quarantine(&self.pool, &fault).await?)
    }
}

/// The oldest open operation becomes the check under way. Operations that were called off, or
/// that a retired node cannot take, end here.
async fn begin(pool: &PgPool, id: NodeId) -> Result<Option<NodeStep>, Refusal> {
    let mut tx = pool.begin().await?;
    let node = hold(&mut tx, id).await?;
    let found = loop {
        let Some(order) = db::order::oldest(&mut tx, id.uuid(), &KINDS).await? else {
            break None;
        };
        if order.cancel_requested_at.is_some() {
            db::order::finish(&mut tx, order.id, OperationState::Cancelled, None).await?;
        } else if node.state == NodeState::Retired {
            let why = Code::node_retired();
            db::order::finish(&mut tx, order.id, OperationState::Failed, Some(&why)).await?;
        } else {
            break Some(order);
        }
    };
    let step = match found {
        Some(order) => Some(start(&mut tx, &node, &order).await?),
        None => None,
    };
    tx.commit().await?;
    Ok(step)
}

async fn start(conn: &mut PgConnection, node: &Node, order: &Order) -> Result<NodeStep, Refusal> {
    if node.state.may_become(NodeState::Verifying) {
        db::node::set_state(conn, node.id, node.state, NodeState::Verifying, None).await?;
    }
    db::order::start(conn, order.id).await?;
    let timeout = db::policy::resolve(conn, &policy::PROBE_TIMEOUT, Scope::Platform).await?;
    let retry = db::policy::resolve(conn, &policy::STEP_RETRY, Scope::Platform).await?;
    Ok(NodeStep {
        node_id: node.id,
        operation_id: order.id,
        timeout_seconds: count(timeout),
        retry_seconds: count(retry),
    })
}

async fn admit(pool: &PgPool, check: NodeStep) -> Result<Admitted, Refusal> {
    let mut tx = pool.begin().await?;
    let node = hold(&mut tx, check.node_id).await?;
    let admitted = Admitted {
        sku: node.sku.clone(),
    };
    if db::order::get(&mut tx, check.operation_id).await?.is_none() {
        return Ok(admitted);
    }
    if node.state != NodeState::Verifying {
        // An operator took it out of service meanwhile.
        db::order::finish(&mut tx, check.operation_id, OperationState::Cancelled, None).await?;
        tx.commit().await?;
        return Ok(admitted);
    }
    db::node::set_state(&mut tx, node.id, node.state, NodeState::Available, None).await?;
    db::node::set_maintenance(&mut tx, node.id, None).await?;
    let event = NodeAvailable { node_id: node.id };
    db::outbox::append(&mut tx, None, &event.into()).await?;
    let by = workflow_id::node(node.id);
    audit::node(&mut tx, &by, node.id, "node.admit", None).await?;
    let operation = Some(check.operation_id);
    record_step(&mut tx, operation, "admit", StepState::Succeeded, None).await?;
    db::order::finish(&mut tx, check.operation_id, OperationState::Succeeded, None).await?;
    tx.commit().await?;
    Ok(admitted)
}

async fn quarantine(pool: &PgPool, fault: &NodeFault) -> Result<(), Refusal> {
    let (check, code) = (fault.step, &fault.code);
    let mut tx = pool.begin().await?;
    let node = hold(&mut tx, check.node_id).await?;
    if db::order::get(&mut tx, check.operation_id).await?.is_none() {
        return Ok(());
    }
    if node.state == NodeState::Verifying {
        let (to, why) = (NodeState::Quarantined, Some(code.as_str()));
        db::node::set_state(&mut tx, node.id, node.state, to, why).await?;
        let event = NodeQuarantined {
            node_id: node.id,
            code: code.clone(),
        };
        db::outbox::append(&mut tx, None, &event.into()).await?;
        let by = workflow_id::node(node.id);
        audit::node(&mut tx, &by, node.id, "node.quarantine", Some(code)).await?;
    }
    db::order::finish(
        &mut tx,
        check.operation_id,
        OperationState::Failed,
        Some(code),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

async fn hold(conn: &mut PgConnection, id: NodeId) -> Result<Node, Refusal> {
    db::node::lock(conn, id)
        .await?
        .ok_or_else(|| Refusal::conflict(id, "there is no such node"))
}
