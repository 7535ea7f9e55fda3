//! The check of a machine when it joins the fleet, and whenever an operator asks.

use std::sync::Arc;
use std::time::Duration;

use contract::node::{NodeStep, Verify};
use db::PgConnection;
use db::gpu::NewGpu;
use db::machine::Machine;
use domain::inventory::Gpu;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::leftovers;
use crate::machine::{Fault, Machines, attend, limit};
use crate::refusal::Refusal;
use crate::step::Step;

const MIB: u64 = 1024 * 1024;

/// The check that dials.
#[derive(Debug)]
pub struct Verification {
    pub machines: Arc<Machines>,
}

#[activities]
impl Verification {
    #[activity(definition = Verify)]
    pub async fn verify(
        self: Arc<Self>,
        ctx: ActivityContext,
        check: NodeStep,
    ) -> Result<(), ActivityError> {
        let (operation, limit) = (Some(check.operation_id), limit(&ctx));
        let work = |machines, step| verify(machines, step, check, limit);
        attend(&self.machines, &ctx, operation, "verify", work).await
    }
}

async fn verify(
    machines: Arc<Machines>,
    step: Arc<Step>,
    check: NodeStep,
    limit: Duration,
) -> Result<(), Fault> {
    let mut conn = machines.pool.acquire().await?;
    let machine = db::machine::get(&mut conn, check.node_id).await?;
    let machine = machine.ok_or_else(|| Refusal::conflict(check.node_id, "no such node"))?;
    let first = db::gpu::list(&mut conn, check.node_id).await?.is_empty();
    drop(conn);

    leftovers::clear(&machines, &machine, limit).await?;
    let probe = machines.probe(&machine, limit).await?;
    let kind = if first { "enrollment" } else { "probe" };
    let mut tx = machines.pool.begin().await?;
    probe.record(&mut tx, &machine, None, kind).await?;
    if let Some(fault) = Fault::of_findings(&probe.findings) {
        tx.commit().await?;
        return Err(fault);
    }
    if first {
        for gpu in &probe.gpus {
            insert(&mut tx, &machine, gpu).await?;
        }
    }
    let seen = format!("{} of {}", probe.gpus.len(), machine.gpu_model);
    step.succeed(&mut tx, Some(&seen)).await?;
    tx.commit().await?;
    if first {
        // GPUs may have come over from a machine that was given up.
        leftovers::clear(&machines, &machine, limit).await?;
    }
    Ok(())
}

async fn insert(conn: &mut PgConnection, machine: &Machine, gpu: &Gpu) -> Result<(), Fault> {
    let bytes = gpu.memory_mib.saturating_mul(MIB);
    let new = NewGpu {
        id: db::id::fresh(),
        node_id: machine.node_id,
        index: i32::try_from(gpu.index).map_err(Fault::own)?,
        uuid: &gpu.uuid,
        model: &gpu.model,
        memory_bytes: i64::try_from(bytes).map_err(Fault::own)?,
    };
    match db::gpu::insert(conn, new).await {
        Err(error) if error.constraint() == Some(db::gpu::UUID_UNIQUE) => Err(Fault::node(
            "gpu_known_elsewhere",
            format!("GPU {} belongs to another node", gpu.index),
        )),
        inserted => Ok(inserted?),
    }
}
