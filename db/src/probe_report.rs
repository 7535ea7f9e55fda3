//! What probes of machines found. Reading them is the operator's, in `node`.

use domain::id::{AllocationId, NodeId, ProbeReportId};
use serde_json::Value;
use sqlx::PgConnection;

use crate::error::Result;

/// A probe's outcome; passed when there are no findings.
#[derive(Debug, Clone)]
pub struct NewProbeReport<'a> {
    pub id: ProbeReportId,
    pub node_id: NodeId,
    pub allocation_id: Option<AllocationId>,
    /// `enrollment`, `probe`, `preflight`, `acceptance` or `release`.
    pub kind: &'a str,
    /// List of `{code, detail}`.
    pub findings: &'a Value,
    pub passed: bool,
    /// What was measured.
    pub report: &'a Value,
}

pub async fn insert(conn: &mut PgConnection, new: &NewProbeReport<'_>) -> Result<()> {
    sqlx::query!(
        "insert into probe_reports (id, node_id, allocation_id, kind, passed, findings, report)
         values ($1, $2, $3, $4, $5, $6, $7)",
        new.id.uuid(),
        new.node_id.uuid(),
        new.allocation_id.map(AllocationId::uuid),
        new.kind,
        new.passed,
        new.findings,
        new.report,
    )
    .execute(conn)
    .await?;
    Ok(())
}
