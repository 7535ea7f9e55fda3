//! `/admin/maintenances`: what was done to the tables that only grow.

mod begin;
mod get;
mod list;
mod proof;

use db::maintenance::Maintenance;
use domain::data_growth::Guarded;
use domain::id::{ArchiveId, MaintenanceId, OperationId, UserId};
use domain::partition::{Outcome, Report, Task};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

pub(super) use self::begin::{Run, begin};
use self::proof::ProofView;
use crate::endpoint::Endpoint;
use crate::resource::Resource;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint(), get::endpoint()]
}

/// A run that looks after the tables that only grow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Maintenance)]
struct MaintenanceView {
    #[schema(value_type = String)]
    id: MaintenanceId,
    /// `maintain`: what is due; `convert`: the tables are converted whatever their size is; `restore`,
    /// `verify`: an archive is brought back or read; `audit`: the audit log is proved.
    #[schema(value_type = String)]
    task: Task,
    /// Null: all of them.
    #[schema(value_type = Option<String>, required)]
    table: Option<Guarded>,
    /// Null: it is not about one.
    #[schema(value_type = Option<String>, required)]
    archive_id: Option<ArchiveId>,
    reason: String,
    /// Null: the schedule.
    #[schema(value_type = Option<String>, required)]
    requested_by: Option<UserId>,
    /// `succeeded`, or `failed` with at least one of the tables; null: it is under way.
    #[schema(value_type = Option<String>, required)]
    outcome: Option<Outcome>,
    reports: Vec<ReportView>,
    /// What shows its steps; null: the schedule began it.
    #[schema(value_type = Option<String>, required)]
    operation_id: Option<OperationId>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    #[serde(skip)]
    version: i64,
}

/// What it did to one table.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MaintenanceReport)]
struct ReportView {
    #[schema(value_type = String)]
    table: Guarded,
    converted: bool,
    /// Partitions that were made.
    added: Vec<String>,
    /// Partitions that were proved to lie in the object store.
    archived: Vec<String>,
    /// Partitions that left the database.
    dropped: Vec<String>,
    /// Partitions that came back from their archives.
    restored: Vec<String>,
    /// What became of proving the audit log; null: nobody did.
    #[schema(required)]
    audit: Option<ProofView>,
    /// The step that failed for good, and why.
    #[schema(required)]
    failed: Option<String>,
}

impl From<Report> for ReportView {
    fn from(report: Report) -> Self {
        Self {
            table: report.table,
            converted: report.converted,
            added: report.added,
            archived: report.archived,
            dropped: report.dropped,
            restored: report.restored,
            audit: report.audit.map(ProofView::from),
            failed: report.failed,
        }
    }
}

impl From<Maintenance> for MaintenanceView {
    fn from(run: Maintenance) -> Self {
        Self {
            id: run.id,
            task: run.task,
            table: run.only,
            archive_id: run.archive_id,
            reason: run.reason,
            requested_by: run.requested_by,
            outcome: run.outcome,
            reports: run.reports.into_iter().map(ReportView::from).collect(),
            operation_id: run.operation_id,
            created_at: run.created_at,
            updated_at: run.updated_at,
            ended_at: run.ended_at,
            version: run.version,
        }
    }
}

impl Resource for MaintenanceView {
    const KIND: &'static str = "maintenance";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/maintenances/{}", self.id)
    }
}
