//! `GET /admin/nodes/{id}/probe-reports`

use domain::id::{AllocationId, NodeId, ProbeReportId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::AdminNodeView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// What one look at a node found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProbeReport)]
struct ProbeReportView {
    #[schema(value_type = String)]
    id: ProbeReportId,
    #[schema(value_type = String)]
    node_id: NodeId,
    /// The allocation that it was done for.
    #[schema(value_type = Option<String>)]
    allocation_id: Option<AllocationId>,
    /// `enrollment`, `probe`, `preflight`, `acceptance` or `release`.
    kind: String,
    passed: bool,
    /// What was wrong.
    #[schema(value_type = Vec<Object>)]
    findings: serde_json::Value,
    /// What was measured.
    #[schema(value_type = Object)]
    report: serde_json::Value,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<db::node::ProbeReport> for ProbeReportView {
    fn from(row: db::node::ProbeReport) -> Self {
        Self {
            id: row.id,
            node_id: row.node_id,
            allocation_id: row.allocation_id,
            kind: row.kind,
            passed: row.passed,
            findings: row.findings,
            report: row.report,
            created_at: row.created_at,
        }
    }
}

impl Resource for ProbeReportView {
    const KIND: &'static str = "probe_report";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/nodes/{}/probe-reports", self.node_id)
    }
}

/// List what was found on a node, newest first
#[utoipa::path(get, path = "/api/v1/admin/nodes/{id}/probe-reports",
    params(("id" = String, Path), Paging),
    responses((status = 200, description = "One page", body = Page<ProbeReportView>)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<NodeId>,
    paging: Paging,
) -> Result<Page<ProbeReportView>, Problem> {
    let after = paging.after::<ProbeReportView, ProbeReportId>()?;
    let node = db::node::get(reader.conn(), id).await?;
    node.ok_or_else(|| Problem::not_found(AdminNodeView::KIND))?;
    let reports = db::node::probe_reports(reader.conn(), id, after, paging.rows()).await?;
    Ok(paging.page(reports.into_iter().map(ProbeReportView::from).collect()))
}
