//! A tenant's access to its machine: given, tried, taken away, and shown to be gone.
//!
//! Every script may be cut off anywhere and run again. Before the first effect the row says that
//! the machine was touched; from then on the removal has to be proved.

use std::sync::Arc;
use std::time::Duration;

use contract::access::{Accept, Install, Preflight, ProveRemoved, Remove};
use contract::allocation::StepInput;
use db::machine::LeasedGpu;
use domain::inventory::{self, Finding, FindingCode, Gpu};
use domain::ssh_public_key::{self, WeakKeys};
use domain::unix_user;
use serde_json::{Value, json};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::machine::{Fault, Machines, Script, attend, leased, limit, number};
use crate::probe::{self, Probe};
use crate::receipt;
use crate::refusal::Refusal;
use crate::step::Step;

/// Steps of an allocation on its machine.
#[derive(Debug)]
pub struct Access {
    pub machines: Arc<Machines>,
}

#[activities]
impl Access {
    #[activity(definition = Preflight)]
    pub async fn preflight(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: StepInput,
    ) -> Result<(), ActivityError> {
        let limit = limit(&ctx);
        let work = |machines, step| preflight(machines, step, input, limit);
        attend(&self.machines, &ctx, input.operation_id, "preflight", work).await
    }

    #[activity(definition = Install)]
    pub async fn install(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: StepInput,
    ) -> Result<(), ActivityError> {
        let limit = limit(&ctx);
        let work = |machines, step| install(machines, step, input, limit);
        attend(
            &self.machines,
            &ctx,
            input.operation_id,
            "install_access",
            work,
        )
        .await
    }

    #[activity(definition = Accept)]
    pub async fn accept(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: StepInput,
    ) -> Result<(), ActivityError> {
        let limit = limit(&ctx);
        let work = |machines, step| accept(machines, step, input, limit);
        attend(&self.machines, &ctx, input.operation_id, "accept", work).await
    }

    #[activity(definition = Remove)]
    pub async fn remove(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: StepInput,
    ) -> Result<(), ActivityError> {
        let limit = limit(&ctx);
        let work = |machines, step| remove(machines, step, input, limit);
        attend(
            &self.machines,
            &ctx,
            input.operation_id,
            "remove_access",
            work,
        )
        .await
    }

    #[activity(definition = ProveRemoved)]
    pub async fn prove_removed(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: StepInput,
    ) -> Result<(), ActivityError> {
        let limit = limit(&ctx);
        let work = |machines, step| prove_removed(machines, step, input, limit);
        attend(
            &self.machines,
            &ctx,
            input.operation_id,
            "prove_removed",
            work,
        )
        .await
    }
}

async fn preflight(
    machines: Arc<Machines>,
    step: Arc<Step>,
    input: StepInput,
    limit: Duration,
) -> Result<(), Fault> {
    let mut conn = machines.pool.acquire().await?;
    let mut machine = leased(&mut conn, input.allocation_id, input.attempt)
        .await?
        .machine;
    drop(conn);
    // What the last check found is expected again where nobody announced a version.
    let known = machine.driver_version.clone();
    machine.expected_driver_version = machine.expected_driver_version.or(known);

    let probe: Probe = machines.probe(&machine, limit).await?;
    let mut tx = machines.pool.begin().await?;
    let allocation = Some(input.allocation_id);
    probe
        .record(&mut tx, &machine, allocation, "preflight")
        .await?;
    if let Some(fault) = Fault::of_findings(&probe.findings) {
        tx.commit().await?;
        return Err(fault);
    }
    step.succeed(&mut tx, Some("host key, driver and GPUs are as enrolled"))
        .await?;
    tx.commit().await?;
    Ok(())
}

async fn install(
    machines: Arc<Machines>,
    step: Arc<Step>,
    input: StepInput,
    limit: Duration,
) -> Result<(), Fault> {
    let StepInput {
        allocation_id,
        attempt,
        ..
    } = input;
    let mut tx = machines.pool.begin().await?;
    let machine = leased(&mut tx, allocation_id, attempt).await?.machine;
    let gpus = db::machine::leased_gpus(&mut tx, allocation_id, number(attempt)).await?;
    let keys = db::machine::public_keys(&mut tx, allocation_id).await?;
    if !db::machine::touch(&mut tx, allocation_id, number(attempt)).await? {
        return Err(Refusal::conflict(allocation_id, "it is not being provisioned").into());
    }
    tx.commit().await?;

    let script = Script::new(include_str!("scripts/install.sh"))
        .with("ACCOUNT", &unix_user::for_allocation(allocation_id))
        .with("PRINCIPAL", &unix_user::principal(allocation_id))
        .with("GPUS", &indexes(&gpus))
        .with("KEYS", &authorized_keys(&keys, &machines.weak_keys)?);
    machines.run(&machine, script, limit).await?;

    let mut tx = machines.pool.begin().await?;
    let given = format!("{} GPUs, {} keys", gpus.len(), keys.len());
    step.succeed(&mut tx, Some(&given)).await?;
    tx.commit().await?;
    Ok(())
}

async fn accept(
    machines: Arc<Machines>,
    step: Arc<Step>,
    input: StepInput,
    limit: Duration,
) -> Result<(), Fault> {
    let StepInput {
        allocation_id,
        attempt,
        ..
    } = input;
    let mut conn = machines.pool.acquire().await?;
    let machine = leased(&mut conn, allocation_id, attempt).await?.machine;
    let leased = db::machine::leased_gpus(&mut conn, allocation_id, number(attempt)).await?;
    drop(conn);

    // Before the machine is asked: what it shows is not kept without a signature.
    let key = receipt::key(&machines.signer, allocation_id).await?;
    let script = Script::new(include_str!("scripts/accept.sh"))
        .with("ACCOUNT", &unix_user::for_allocation(allocation_id))
        .with("QUERY", inventory::QUERY);
    let report = machines.run(&machine, script, limit).await?;
    let seen = report.gpus()?;
    let differs = !same_gpus(&seen, &leased);
    let members = receipt::members(allocation_id, machine.node_id, machine.now, &report, &seen)?;
    let looked = Value::Object(members.clone());

    let mut tx = machines.pool.begin().await?;
    let findings = differs.then(|| Finding {
        code: FindingCode::GpuUnexpected,
        gpu_index: None,
        detail: format!("the account sees {} GPUs, not those leased", seen.len()),
    });
    let (findings, allocation) = (findings.as_slice(), Some(allocation_id));
    probe::record(
        &mut tx,
        &machine,
        allocation,
        "acceptance",
        findings,
        &looked,
    )
    .await?;
    if differs {
        tx.commit().await?;
        return Err(Fault::node(
            "gpus_not_as_leased",
            "the account does not see what was leased",
        ));
    }
    let receipt = receipt::sign(members, &key)?;
    db::machine::set_receipt(&mut tx, allocation_id, number(attempt), &receipt).await?;
    let text = format!("the account sees its {} GPUs and no other", seen.len());
    step.succeed(&mut tx, Some(&text)).await?;
    tx.commit().await?;
    Ok(())
}

async fn remove(
    machines: Arc<Machines>,
    step: Arc<Step>,
    input: StepInput,
    limit: Duration,
) -> Result<(), Fault> {
    let mut conn = machines.pool.acquire().await?;
    let leased = leased(&mut conn, input.allocation_id, input.attempt).await?;
    drop(conn);
    let account = unix_user::for_allocation(input.allocation_id);
    let text = if leased.touched {
        let script = Script::new(include_str!("scripts/remove.sh")).with("ACCOUNT", &account);
        machines.run(&leased.machine, script, limit).await?;
        "sessions, keys, GPUs and account are taken away"
    } else {
        "the node was never touched"
    };
    let mut tx = machines.pool.begin().await?;
    step.succeed(&mut tx, Some(text)).await?;
    tx.commit().await?;
    Ok(())
}

async fn prove_removed(
    machines: Arc<Machines>,
    step: Arc<Step>,
    input: StepInput,
    limit: Duration,
) -> Result<(), Fault> {
    let StepInput {
        allocation_id,
        attempt,
        ..
    } = input;
    let mut conn = machines.pool.acquire().await?;
    let leased = leased(&mut conn, allocation_id, attempt).await?;
    let gpus = db::machine::leased_gpus(&mut conn, allocation_id, number(attempt)).await?;
    drop(conn);
    let left: Vec<String> = if leased.touched {
        let script = Script::new(include_str!("scripts/prove_removed.sh"))
            .with("ACCOUNT", &unix_user::for_allocation(allocation_id))
            .with("GPUS", &indexes(&gpus));
        let report = machines.run(&leased.machine, script, limit).await?;
        report.all("left").map(str::to_owned).collect()
    } else {
        Vec::new()
    };
    let mut tx = machines.pool.begin().await?;
    let finding = |what: &String| Finding {
        code: FindingCode::LeftBehind,
        gpu_index: None,
        detail: what.clone(),
    };
    let findings: Vec<_> = left.iter().map(finding).collect();
    let (machine, allocation) = (&leased.machine, Some(allocation_id));
    let looked = json!({ "touched": leased.touched });
    probe::record(&mut tx, machine, allocation, "release", &findings, &looked).await?;
    if left.is_empty() {
        step.succeed(&mut tx, Some("nothing of it is left on the node"))
            .await?;
    }
    tx.commit().await?;
    if left.is_empty() {
        Ok(())
    } else {
        Err(Fault::node(
            "removal_incomplete",
            format!("left behind: {}", left.join(", ")),
        ))
    }
}

fn indexes(gpus: &[LeasedGpu]) -> String {
    let words: Vec<_> = gpus.iter().map(|gpu| gpu.index.to_string()).collect();
    words.join(" ")
}

/// The lines of the file. Keys are judged again: what a row holds may not be what was checked when
/// it was written.
fn authorized_keys(stored: &[String], weak: &WeakKeys) -> Result<String, Fault> {
    let lines = stored
        .iter()
        .map(|key| ssh_public_key::parse(key, weak).map(|key| key.openssh))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Fault::own)?;
    Ok(lines.join("\n"))
}

fn same_gpus(seen: &[Gpu], leased: &[LeasedGpu]) -> bool {
    let pair = |gpu: &Gpu| (i64::from(gpu.index), gpu.uuid.clone());
    let mut seen: Vec<_> = seen.iter().map(pair).collect();
    seen.sort();
    let leased = leased
        .iter()
        .map(|gpu| (i64::from(gpu.index), gpu.uuid.clone()));
    seen.into_iter().eq(leased)
}
