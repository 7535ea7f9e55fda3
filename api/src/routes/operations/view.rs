//! How an operation looks from outside.

use db::PgConnection;
use db::operation::{Operation, OperationStep, Viewer};
use domain::id::{AllocationId, BillingRunId, MaintenanceId, NodeId, OperationId, RotationId};
use domain::operation::OperationKind;
use domain::state::{OperationState, StepState};
use platform::settings::Settings;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::resource::{Recall, Resource};

/// An asynchronous change that somebody asked for, and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OperationView {
    #[schema(value_type = String, example = "op_01890a5d96ee7f8cb3f4d2f0a8b1c2d3")]
    pub id: OperationId,
    #[schema(value_type = String, example = "allocation.create")]
    pub kind: OperationKind,
    #[schema(value_type = String, example = "running")]
    pub state: OperationState,
    /// Still open after its deadline: an operator is looking at it.
    pub stuck: bool,
    pub resource: ResourceRef,
    pub steps: Vec<StepView>,
    #[serde(with = "time::serde::rfc3339")]
    pub deadline_at: OffsetDateTime,
    /// Problem details of what went wrong, once it failed.
    #[schema(value_type = Option<Object>)]
    pub error: Option<serde_json::Value>,
    pub workflow: WorkflowRef,
    #[serde(with = "time::serde::rfc3339::option")]
    pub cancel_requested_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    #[serde(skip)]
    version: i64,
}

impl Resource for OperationView {
    const KIND: &'static str = "operation";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/operations/{}", self.id)
    }
}

impl Recall for OperationView {
    async fn recall(app: &App, conn: &mut PgConnection, id: &str) -> db::Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        // The record that led here is the caller's own, and so is what his transaction sees.
        let operation = db::operation::get(conn, Viewer::Platform, id).await?;
        Ok(operation.map(|operation| Self::new(operation, &app.settings)))
    }
}

/// What an operation works on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResourceRef {
    /// `allocation`, `node`, `billing_run` or `rotation`.
    pub kind: &'static str,
    pub id: String,
    pub url: String,
}

/// One step; a step that is tried again keeps its place and counts its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StepView {
    pub name: String,
    #[schema(value_type = String, example = "succeeded")]
    pub state: StepState,
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    pub attempt: i32,
    pub detail: Option<String>,
}

/// The workflow that carries the operation out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkflowRef {
    pub id: String,
    pub run_id: Option<String>,
    /// Its page in the Temporal UI, where the installation names one.
    pub url: Option<String>,
}

impl OperationView {
    pub(crate) fn new(operation: Operation, settings: &Settings) -> Self {
        let pages = Pages {
            ui_url: settings.temporal_ui_url.as_deref(),
            namespace: &settings.temporal_namespace,
        };
        let run_id = operation.workflow_run_id;
        Self {
            version: operation.version + operation.steps.iter().map(changes).sum::<i64>(),
            updated_at: operation
                .steps
                .iter()
                .flat_map(|step| [step.started_at, step.ended_at])
                .flatten()
                .fold(operation.updated_at, Ord::max),
            id: operation.id,
            kind: operation.kind,
            state: operation.state,
            stuck: operation.stuck,
            resource: resource(operation.kind, operation.resource_id),
            steps: operation.steps.into_iter().map(StepView::new).collect(),
            deadline_at: operation.deadline_at,
            error: operation.error,
            workflow: WorkflowRef {
                url: pages.url(&operation.workflow_id, run_id.as_deref()),
                id: operation.workflow_id,
                run_id,
            },
            cancel_requested_at: operation.cancel_requested_at,
            created_at: operation.created_at,
            ended_at: operation.ended_at,
        }
    }
}

/// How often a step began or ended: it counts into the version of its operation, which has no
/// update of its own for it.
fn changes(step: &OperationStep) -> i64 {
    2 * i64::from(step.attempt) + i64::from(step.ended_at.is_some())
}

/// Where workflows can be looked at.
struct Pages<'a> {
    ui_url: Option<&'a str>,
    namespace: &'a str,
}

impl Pages<'_> {
    fn url(&self, workflow_id: &str, run_id: Option<&str>) -> Option<String> {
        let base = self.ui_url?.trim_end_matches('/');
        let id = workflow_id.replace('/', "%2F");
        let namespace = self.namespace;
        let run = run_id
            .map(|run_id| format!("/{run_id}/history"))
            .unwrap_or_default();
        Some(format!("{base}/namespaces/{namespace}/workflows/{id}{run}"))
    }
}

impl StepView {
    fn new(step: OperationStep) -> Self {
        Self {
            name: step.name,
            state: step.state,
            started_at: step.started_at,
            ended_at: step.ended_at,
            attempt: step.attempt,
            detail: step.detail,
        }
    }
}

fn resource(kind: OperationKind, id: uuid::Uuid) -> ResourceRef {
    let name = kind.resource_kind();
    let (id, folder) = match kind {
        OperationKind::BillingRunCreate => (
            BillingRunId::from_uuid(id).to_string(),
            "admin/billing-runs",
        ),
        OperationKind::MaintenanceCreate => (
            MaintenanceId::from_uuid(id).to_string(),
            "admin/maintenances",
        ),
        OperationKind::RotationCreate => (RotationId::from_uuid(id).to_string(), "admin/rotations"),
        OperationKind::NodeEnroll | OperationKind::NodeProbe => {
            (NodeId::from_uuid(id).to_string(), "admin/nodes")
        }
        OperationKind::AllocationCreate
        | OperationKind::AllocationExtend
        | OperationKind::AllocationRelease
        | OperationKind::AllocationRetryRelease
        | OperationKind::AllocationForceRelease => {
            (AllocationId::from_uuid(id).to_string(), "allocations")
        }
    };
    ResourceRef {
        kind: name,
        url: format!("/api/v1/{folder}/{id}"),
        id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflow_pages_are_linked_where_there_are_any() {
        let id = "allocation/alloc_7";
        let none = Pages {
            ui_url: None,
            namespace: "berth",
        };
        assert_eq!(none.url(id, None), None);
        let some = Pages {
            ui_url: Some("http://ui:8233/"),
            ..none
        };
        assert_eq!(
            some.url(id, None).as_deref(),
            Some("http://ui:8233/namespaces/berth/workflows/allocation%2Falloc_7")
        );
        assert_eq!(
            some.url(id, Some("r-1")).as_deref(),
            Some("http://ui:8233/namespaces/berth/workflows/allocation%2Falloc_7/r-1/history")
        );
    }

    #[test]
    fn resources_are_linked_where_they_live() {
        let id = uuid::Uuid::from_u128(7);
        let node = resource(OperationKind::NodeEnroll, id);
        assert_eq!(node.url, format!("/api/v1/admin/nodes/{}", node.id));
        let allocation = resource(OperationKind::AllocationCreate, id);
        assert_eq!(allocation.kind, "allocation");
        assert_eq!(
            allocation.url,
            format!("/api/v1/allocations/{}", allocation.id)
        );
    }
}
