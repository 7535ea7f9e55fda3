//! A worker in the test's own process, whose steps fail as planned.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use contract::{failure, queue};
use futures::FutureExt;
use platform::settings::{Settings, Source};
use temporalio_client::{Client, UntypedWorkflow, WorkflowCancelOptions};
use temporalio_common::error::ApplicationFailure;
use temporalio_sdk::activities::ActivityError;
use temporalio_sdk::interceptors::{
    ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::stack::Stack;

/// What a step says that fails as planned.
pub const PLANNED: &str = "planned";

/// What goes wrong with one try of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails for good before it does anything.
    Before,
    /// It does its work, and then fails for good.
    After,
    /// It does its work, but nobody hears of it: Temporal runs it again.
    Twice,
    /// Somebody cancels the workflow while it is under way.
    Cancel,
}

impl Fault {
    pub const ALL: [Self; 4] = [Self::Before, Self::After, Self::Twice, Self::Cancel];
}

/// A fault of a step, by the name of its activity. It strikes once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    pub step: &'static str,
    pub fault: Fault,
}

/// The plans, by workflow id, or by workflow type for those whose id nobody knows beforehand.
struct Plans {
    temporal: Client,
    open: Mutex<BTreeMap<String, Vec<Strike>>>,
    changed: Notify,
}

/// The stack's worker, in this process. Ends with its value.
pub struct PlannedWorker {
    plans: Arc<Plans>,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl PlannedWorker {
    /// Takes the place of the stack's own worker. Allocations wait at their first step until
    /// [`Self::plan`] has said what is to happen to them.
    pub async fn instead(stack: &Stack) -> Self {
        let values = crate::replica::environment(stack, "worker");
        let values = values.iter().map(|(name, value)| (&**name, &**value));
        let settings = Settings::from_source(&Source::of_values(values)).expect("sound settings");
        stack.control("stop", "worker").await;
        let plans = Arc::new(Plans {
            temporal: stack.temporal().await,
            open: Mutex::default(),
            changed: Notify::new(),
        });
        let shutdown = CancellationToken::new();
        let watch = worker::Watch::new(plans.clone());
        let thread = {
            let shutdown = shutdown.clone();
            std::thread::spawn(move || {
                let queues = worker::QUEUES.iter().map(ToString::to_string).collect();
                let telemetry = platform::telemetry::init("worker");
                let run = worker::run(settings, queues, telemetry, Some(watch), shutdown);
                tokio::runtime::Builder::new_multi_thread()
                    .enable_all()
                    .build()?
                    .block_on(run)
            })
        };
        Self {
            plans,
            shutdown,
            thread: Some(thread),
        }
    }

    /// What is to happen to the steps of a workflow; nothing, if the list is empty.
    pub fn plan(&self, workflow: &str, strikes: &[Strike]) {
        let plan = (workflow.to_owned(), strikes.to_vec());
        self.plans.open().extend([plan]);
        self.plans.changed.notify_waiters();
    }

    /// Strikes that did not come to pass.
    pub fn missed(&self, workflow: &str) -> Vec<Strike> {
        self.plans.open().get(workflow).cloned().unwrap_or_default()
    }
}

impl Drop for PlannedWorker {
    fn drop(&mut self) {
        self.shutdown.cancel();
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended
                .expect("one thread")
                .expect("no panic")
                .expect("a worker that ends well");
        }
    }
}

impl Plans {
    fn open(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<Strike>>> {
        self.open.lock().expect("nobody panics while it holds this")
    }

    /// The fault that strikes this try, if there is one.
    async fn strike(&self, workflow: &str, workflow_type: &str, step: &str) -> Option<Fault> {
        loop {
            let changed = self.changed.notified();
            {
                let mut open = self.open();
                let key = [workflow, workflow_type]
                    .into_iter()
                    .find(|key| open.contains_key(*key));
                if let Some(plan) = key.and_then(|key| open.get_mut(key)) {
                    let at = plan.iter().position(|strike| strike.step == step)?;
                    return Some(plan.remove(at).fault);
                }
            }
            if !workflow.starts_with("allocation/") {
                return None;
            }
            changed.await;
        }
    }

    async fn cancel(&self, workflow: &str) {
        let handle = self
            .temporal
            .get_workflow_handle::<UntypedWorkflow>(workflow);
        let options = WorkflowCancelOptions::default();
        handle.cancel(options).await.expect("it is running");
    }
}

impl ActivityInboundInterceptor for Plans {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        async move {
            let info = input.activity_info();
            let workflow = info.workflow_id.clone().unwrap_or_default();
            let workflow_type = info.workflow_type.clone().unwrap_or_default();
            let on_node = info.task_queue == queue::NODE_IO;
            let fault = self.strike(&workflow, &workflow_type, &info.activity_type);
            match fault.await {
                None => next.run(input).await,
                Some(Fault::Before) => Err(refusal(on_node)),
                Some(Fault::After) => {
                    next.run(input).await?;
                    Err(refusal(on_node))
                }
                Some(Fault::Twice) => {
                    next.run(input).await?;
                    let lost = anyhow::Error::msg("the answer got lost");
                    Err(ActivityError::application(ApplicationFailure::new(lost)))
                }
                Some(Fault::Cancel) => {
                    self.cancel(&workflow).await;
                    next.run(input).await
                }
            }
        }
        .boxed()
    }
}

/// As steps refuse for good: the machine is bad, or the row is in another state.
fn refusal(on_node: bool) -> ActivityError {
    let name = if on_node {
        failure::NODE_FAULT
    } else {
        failure::STATE_CONFLICT
    };
    let failure = ApplicationFailure::builder(anyhow::Error::msg(PLANNED))
        .type_name(name.to_owned())
        .non_retryable(!on_node)
        .details("planned_fault".to_owned());
    ActivityError::application(failure.build())
}
