//! Running a step, and what its failure means to a workflow.

use contract::failure;
use domain::reason::Code;
use temporalio_common::error::{
    ActivityExecutionError, ApplicationFailure, IncomingError, TimeoutType,
};
use temporalio_common::{ActivityDefinition, data_converters::TemporalDeserializable};
use temporalio_workflow::{ActivityOptions, WorkflowContext};

use crate::limits;

/// Why a step did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Somebody else moved the row: read it again.
    Conflict,
    /// The machine is to be given up, for this reason.
    Node(Code),
    /// The step was called off, and has stopped.
    CalledOff,
}

impl From<ActivityExecutionError> for Failure {
    fn from(error: ActivityExecutionError) -> Self {
        if error.as_cancelled().is_some() {
            return Self::CalledOff;
        }
        Self::of_cause(error.cause())
    }
}

impl Failure {
    fn of_cause(cause: Option<&IncomingError>) -> Self {
        match cause {
            Some(IncomingError::Application(fault)) => Self::of_fault(fault),
            // Time ran out before any try came to its end: nobody serves the queue, and that is
            // not the machine's fault.
            Some(IncomingError::Timeout(timeout))
                if timeout.cause().is_none()
                    && timeout.timeout_type() == TimeoutType::ScheduleToClose =>
            {
                Self::Conflict
            }
            Some(IncomingError::Timeout(timeout)) => Self::of_cause(timeout.cause()),
            _ => Self::Node(Code::step_exhausted()),
        }
    }

    fn of_fault(fault: &ApplicationFailure) -> Self {
        match fault.type_name() {
            Some(failure::STATE_CONFLICT) => Self::Conflict,
            Some(failure::TARGET_DENIED) => Self::Node(Code::probe_target_denied()),
            Some(failure::NODE_FAULT | failure::NODE_AWAY) => Self::Node(
                fault
                    .details::<String>()
                    .ok()
                    .flatten()
                    .and_then(|code| code.parse().ok())
                    .unwrap_or_else(Code::step_exhausted),
            ),
            _ => Self::Node(Code::step_exhausted()),
        }
    }
}

/// What a step that failed for good said itself. The error around it tells only that one failed.
pub(crate) fn words(error: &ActivityExecutionError) -> String {
    let mut said = error.cause();
    // Time ran out while it was tried again: the last try knows why.
    while let Some(IncomingError::Timeout(timeout)) = said
        && timeout.cause().is_some()
    {
        said = timeout.cause();
    }
    // One may know only that it was the database; what is behind it knows what that said.
    let text = |one: &IncomingError| match one {
        IncomingError::Application(fault) => fault.to_string(),
        other => other.failure().message.clone(),
    };
    let words: Vec<String> = std::iter::successors(said, |one| one.cause())
        .map(text)
        .collect();
    if words.is_empty() {
        error.to_string()
    } else {
        words.join(": ")
    }
}

/// Runs a step in the database. Whatever it fails with, the row knows better.
pub(crate) async fn database<W, A>(
    ctx: &WorkflowContext<W>,
    activity: A,
    input: A::Input,
    summary: &str,
) -> Result<A::Output, Failure>
where
    W: 'static,
    A: ActivityDefinition,
    A::Output: TemporalDeserializable,
{
    ctx.execute_local_activity(activity, input, limits::database(summary))
        .await
        .map_err(|_| Failure::Conflict)
}

/// Runs a step on a node to its end.
pub(crate) async fn on_node<W, A>(
    ctx: &WorkflowContext<W>,
    activity: A,
    input: A::Input,
    options: ActivityOptions,
) -> Result<A::Output, Failure>
where
    W: 'static,
    A: ActivityDefinition,
    A::Output: TemporalDeserializable,
{
    Ok(ctx.execute_activity(activity, input, options).await?)
}
