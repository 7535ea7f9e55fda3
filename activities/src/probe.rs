//! Looking at a machine: what it is and has, against what it should.

use std::time::Duration;

use db::machine::Machine;
use db::{PgConnection, PgPool};
use domain::id::{AllocationId, NodeId};
use domain::inventory::{self, Expectation, ExpectedGpus, Finding, FindingCode, Gpu};
use domain::state::GpuState;
use serde_json::{Value, json};

use crate::machine::{Fault, Machines, Report, Script};

/// Less free disk than this under `/home` is a full disk.
const DISK_MIN_KIB: u64 = 256 * 1024;

/// What a probe saw, and what was wrong with it.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) boot_id: String,
    pub(crate) gpus: Vec<Gpu>,
    pub(crate) findings: Vec<Finding>,
    disk_free_kib: u64,
}

impl Machines {
    /// Asks the machine. Known GPUs, where there are any, must be those and no others; a GPU that
    /// is known to be faulty is left out of the comparison.
    pub(crate) async fn probe(&self, machine: &Machine, limit: Duration) -> Result<Probe, Fault> {
        let script = Script::new(include_str!("scripts/probe.sh")).with("QUERY", inventory::QUERY);
        let report = self.run(machine, script, limit).await?;
        let mut gpus = report.gpus()?;
        let expected = expected(&self.pool, machine, &mut gpus).await?;
        let mut findings = inventory::compare(&gpus, &expected);
        let disk_free_kib = disk_free_kib(&report)?;
        if disk_free_kib < DISK_MIN_KIB {
            findings.push(Finding {
                code: FindingCode::DiskFull,
                gpu_index: None,
                detail: format!("{disk_free_kib} KiB are free under /home"),
            });
        }
        findings.extend(fatal_xids(&report));
        findings.sort_by_key(|finding| finding.code);
        Ok(Probe {
            boot_id: report.boot_id()?.to_owned(),
            gpus,
            findings,
            disk_free_kib,
        })
    }
}

async fn expected(
    pool: &PgPool,
    machine: &Machine,
    gpus: &mut Vec<Gpu>,
) -> Result<Expectation, Fault> {
    let mut conn = pool.acquire().await?;
    let known = db::gpu::list(&mut conn, machine.node_id).await?;
    let (faulty, sound): (Vec<_>, Vec<_>) = known
        .into_iter()
        .partition(|gpu| gpu.state == GpuState::Faulty);
    gpus.retain(|gpu| !faulty.iter().any(|known| known.uuid == gpu.uuid));
    let count = u32::try_from(machine.expected_gpu_count).map_err(Fault::own)?;
    let these = sound
        .into_iter()
        .map(|gpu| Ok((u32::try_from(gpu.index)?, gpu.uuid)))
        .collect::<Result<Vec<_>, std::num::TryFromIntError>>()
        .map_err(Fault::own)?;
    let driver = machine.expected_driver_version.clone();
    Ok(Expectation {
        gpu_model: machine.gpu_model.clone(),
        driver_version: driver,
        gpus: if these.is_empty() && faulty.is_empty() {
            ExpectedGpus::Count(count)
        } else {
            ExpectedGpus::These(these)
        },
    })
}

/// Errors of the driver after which it has to be reset. The log names the bus, not the GPU's index,
/// so they are the whole machine's.
fn fatal_xids(report: &Report) -> impl Iterator<Item = Finding> {
    let numbers = report.all("xid").filter_map(|number| number.parse().ok());
    numbers
        .filter(|number| inventory::is_fatal_xid(*number))
        .map(|number| Finding {
            code: FindingCode::XidErrors,
            gpu_index: None,
            detail: format!("the driver reported Xid {number}"),
        })
}

fn disk_free_kib(report: &Report) -> Result<u64, Fault> {
    report
        .get("disk_free_kib")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Fault::node("inventory_unreadable", "the node does not show its disk"))
}

impl Probe {
    /// Keeps what was seen, whatever it was.
    pub(crate) async fn record(
        &self,
        conn: &mut PgConnection,
        machine: &Machine,
        allocation: Option<AllocationId>,
        kind: &str,
    ) -> db::Result<()> {
        let driver = self.gpus.first().map(|gpu| gpu.driver_version.as_str());
        // A driver that is wrong is not what the machine is to be compared with next time.
        let driver = driver.filter(|_| self.findings.is_empty());
        db::machine::set_probed(conn, machine.node_id, driver, &self.boot_id).await?;
        record(
            conn,
            machine,
            allocation,
            kind,
            &self.findings,
            &self.shown(),
        )
        .await
    }

    /// What was measured.
    pub(crate) fn shown(&self) -> Value {
        json!({
            "boot_id": self.boot_id,
            "disk_free_kib": self.disk_free_kib,
            "gpus": self.gpus,
        })
    }
}

/// Writes one probe report.
pub(crate) async fn record(
    conn: &mut PgConnection,
    machine: &Machine,
    allocation: Option<AllocationId>,
    kind: &str,
    findings: &[Finding],
    report: &Value,
) -> db::Result<()> {
    let node = machine.node_id;
    keep(conn, node, allocation, kind, &json!(findings), report).await
}

/// The same, of findings as they are written.
pub(crate) async fn keep(
    conn: &mut PgConnection,
    node_id: NodeId,
    allocation_id: Option<AllocationId>,
    kind: &str,
    findings: &Value,
    report: &Value,
) -> db::Result<()> {
    let report = db::probe_report::NewProbeReport {
        id: db::id::fresh(),
        node_id,
        allocation_id,
        kind,
        findings,
        passed: findings.as_array().is_some_and(Vec::is_empty),
        report,
    };
    db::probe_report::insert(conn, &report).await
}
