//! Hands intents to Temporal: by the API right after its commit, by the relay for as long as it
//! takes. Delivering twice has the effect of once.

use contract::allocation::AllocationInput;
use contract::balance::GuardInput;
use contract::billing::BillingInput;
use contract::node::NodeInput;
use contract::partition::MaintenanceInput;
use contract::rotation::RotationInput;
use contract::{attribute, queue, workflow_id};
use db::intent::{Intent, IntentKind};
use domain::id::{AllocationId, BillingRunId, MaintenanceId, NodeId, OrgId, RotationId};
use temporalio_client::errors::{WorkflowInteractionError, WorkflowStartError};
use temporalio_client::tonic::{Code, Status};
use temporalio_client::{
    Client, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowSignalOptions,
    WorkflowStartOptions,
};
use temporalio_common::search_attributes::SearchAttributes;
use temporalio_common::{HasWorkflowDefinition, SignalDefinition};
use workflows::{
    Allocation, BalanceGuard, BillingRun, KeyRotation, NodeEnrollment, PartitionMaintenance,
};

/// Why an intent did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum IntentError {
    /// Temporal cannot be asked now; nobody's fault, ask again.
    #[error("temporal is away: {0}")]
    Unavailable(String),
    /// The workflow has ended and does not run again: who waits for it waits in vain.
    #[error("the workflow has ended")]
    Closed,
    /// There is no such workflow, or Temporal refuses the intent as it is.
    #[error("refused: {0}")]
    Refused(String),
}

/// Delivers one intent. Success means that the workflow runs and is going to look at its row.
pub async fn deliver(client: &Client, intent: &Intent) -> Result<(), IntentError> {
    match intent.workflow_type.as_str() {
        workflow_id::ALLOCATION => {
            let allocation_id = AllocationId::from_uuid(intent.resource_id);
            let target = Target {
                intent,
                subject: (attribute::ALLOCATION, allocation_id.to_string()),
                queue: queue::PROVISIONING,
                reuse: match (intent.kind, intent.operation_id) {
                    // Nobody waits for it: a run over a row that has ended sees that, and ends.
                    (IntentKind::Wake, None) => WorkflowIdReusePolicy::AllowDuplicate,
                    // An allocation lives once; a run that somebody terminated is not its end.
                    _ => WorkflowIdReusePolicy::AllowDuplicateFailedOnly,
                },
                workflow: Allocation::run,
                wake: || Allocation::wake,
                input: AllocationInput { allocation_id },
            };
            match intent.kind {
                IntentKind::Start => target.start(client).await,
                IntentKind::Wake => target.wake(client).await,
            }
        }
        workflow_id::NODE_ENROLLMENT => {
            let node_id = NodeId::from_uuid(intent.resource_id);
            let target = Target {
                intent,
                subject: (attribute::NODE, node_id.to_string()),
                queue: queue::PROVISIONING,
                // A node is checked again and again.
                reuse: WorkflowIdReusePolicy::AllowDuplicate,
                workflow: NodeEnrollment::run,
                wake: || NodeEnrollment::wake,
                input: NodeInput { node_id },
            };
            // A run that is about to end must see the operation too, so a start wakes as well.
            target.wake(client).await
        }
        workflow_id::BILLING_RUN => {
            let run_id = BillingRunId::from_uuid(intent.resource_id);
            let target = Target {
                intent,
                subject: (attribute::KIND, intent.workflow_type.clone()),
                queue: queue::BILLING,
                // A run that broke off is carried on; over one that ended, its end is all there is.
                reuse: WorkflowIdReusePolicy::AllowDuplicate,
                workflow: BillingRun::run,
                wake: || BillingRun::wake,
                input: BillingInput {
                    run_id: Some(run_id),
                },
            };
            match intent.kind {
                IntentKind::Start => target.start(client).await,
                IntentKind::Wake => target.wake(client).await,
            }
        }
        workflow_id::BALANCE_GUARD => {
            let org_id = OrgId::from_uuid(intent.resource_id);
            let target = Target {
                intent,
                subject: (attribute::KIND, intent.workflow_type.clone()),
                queue: queue::BILLING,
                // It ends when nothing runs, and begins anew.
                reuse: WorkflowIdReusePolicy::AllowDuplicate,
                workflow: BalanceGuard::run,
                wake: || BalanceGuard::wake,
                input: GuardInput { org_id },
            };
            target.wake(client).await
        }
        workflow_id::KEY_ROTATION => {
            let rotation_id = RotationId::from_uuid(intent.resource_id);
            // `rotation/{kind}/…`
            let kind = intent.workflow_id.split('/').nth(1);
            let purpose = kind.and_then(|kind| kind.parse().ok());
            let purpose = purpose.ok_or_else(|| IntentError::Refused("no such kind".to_owned()))?;
            let target = Target {
                intent,
                subject: (attribute::KIND, intent.workflow_type.clone()),
                queue: queue::SECURITY,
                reuse: WorkflowIdReusePolicy::AllowDuplicate,
                workflow: KeyRotation::run,
                wake: || KeyRotation::wake,
                input: RotationInput {
                    purpose,
                    rotation_id: Some(rotation_id),
                },
            };
            match intent.kind {
                IntentKind::Start => target.start(client).await,
                IntentKind::Wake => target.wake(client).await,
            }
        }
        workflow_id::PARTITION_MAINTENANCE => maintain(client, intent).await,
        other => Err(IntentError::Refused(format!(
            "there is no workflow {other}"
        ))),
    }
}

async fn maintain(client: &Client, intent: &Intent) -> Result<(), IntentError> {
    let maintenance_id = MaintenanceId::from_uuid(intent.resource_id);
    let target = Target {
        intent,
        subject: (attribute::KIND, intent.workflow_type.clone()),
        queue: queue::MAINTENANCE,
        reuse: WorkflowIdReusePolicy::AllowDuplicate,
        workflow: PartitionMaintenance::run,
        wake: || PartitionMaintenance::wake,
        input: MaintenanceInput {
            maintenance_id: Some(maintenance_id),
        },
    };
    match intent.kind {
        IntentKind::Start => target.start(client).await,
        IntentKind::Wake => target.wake(client).await,
    }
}

/// Where an intent goes, with all that a run of it needs.
struct Target<'a, W: HasWorkflowDefinition, S: SignalDefinition> {
    intent: &'a Intent,
    subject: (&'static str, String),
    queue: &'static str,
    reuse: WorkflowIdReusePolicy,
    workflow: W,
    wake: fn() -> S,
    input: W::Input,
}

impl<W, S> Target<'_, W, S>
where
    W: HasWorkflowDefinition,
    W::Input: Send,
    S: SignalDefinition<Workflow = W::Run, Input = ()>,
{
    async fn start(self, client: &Client) -> Result<(), IntentError> {
        let options = self.options();
        match client
            .start_workflow(self.workflow, self.input, options)
            .await
        {
            Ok(_) => Ok(()),
            // Running or long done: the start was delivered before.
            Err(error) if has_run(&error) => Ok(()),
            Err(error) => Err(start_error(error)),
        }
    }

    async fn wake(self, client: &Client) -> Result<(), IntentError> {
        let signal = WorkflowSignalOptions::builder()
            .request_id(self.intent.id.uuid().to_string())
            .build();
        match client
            .get_workflow_handle::<W>(&self.intent.workflow_id)
            .signal((self.wake)(), (), signal)
            .await
        {
            Ok(()) => return Ok(()),
            Err(WorkflowInteractionError::NotFound(_)) => {}
            Err(WorkflowInteractionError::Rpc(status)) => return Err(status_error(&status)),
            Err(error) => return Err(IntentError::Refused(error.to_string())),
        }
        let options = self.options();
        match client
            .signal_with_start_workflow(self.workflow, self.input, (self.wake)(), (), options)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if has_run(&error) => Err(IntentError::Closed),
            Err(error) => Err(start_error(error)),
        }
    }

    fn options(&self) -> WorkflowStartOptions {
        let ids = [
            Some(self.subject.clone()),
            Some((attribute::KIND, self.intent.workflow_type.clone())),
            self.intent
                .org_id
                .map(|id| (attribute::ORG, id.to_string())),
            self.intent
                .operation_id
                .map(|id| (attribute::OPERATION, id.to_string())),
        ];
        let updates = ids
            .into_iter()
            .flatten()
            .map(|(name, id)| attribute::keyword(name).value_set(id));
        WorkflowStartOptions::new(self.queue, &self.intent.workflow_id)
            .id_reuse_policy(self.reuse)
            .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
            .search_attributes(SearchAttributes::new(updates))
            .build()
    }
}

/// The id was used before; a signal with start says so by its status alone.
fn has_run(error: &WorkflowStartError) -> bool {
    match error {
        WorkflowStartError::AlreadyStarted { .. } => true,
        WorkflowStartError::Rpc(status) => status.code() == Code::AlreadyExists,
        _ => false,
    }
}

fn start_error(error: WorkflowStartError) -> IntentError {
    match error {
        WorkflowStartError::Rpc(status) => status_error(&status),
        other => IntentError::Refused(other.to_string()),
    }
}

/// Whether to ask again or to give up. `NotFound` here is a namespace that is not there yet.
fn status_error(status: &Status) -> IntentError {
    let text = format!("{:?}: {}", status.code(), status.message());
    match status.code() {
        Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss => IntentError::Refused(text),
        _ => IntentError::Unavailable(text),
    }
}
