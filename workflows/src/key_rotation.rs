//! Replaces a key that Berth signs with: the next one is known, proved, and signs; the old one serves
//! its time or, where glass is broken, ends at once; what it signed and is needed is signed anew. Its
//! steps are never cancelled, only its waits are.

use std::time::Duration;

use contract::rotation::{
    CloseInput, OpenInput, Opened, ResignInput, Rotated, RotationInput, RotationSteps,
};
use domain::rotation::{Mode, Outcome};
use temporalio_common::ActivityDefinition;
use temporalio_common::data_converters::TemporalDeserializable;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    SyncWorkflowContext, TimerOptions, WorkflowCancellationToken, WorkflowContext,
    WorkflowContextView, WorkflowResult, WorkflowTermination,
};

use crate::limits;

#[workflow]
pub struct KeyRotation {
    input: RotationInput,
}

#[workflow_methods]
impl KeyRotation {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: RotationInput) -> Self {
        Self { input }
    }

    /// How it ended is the result; the evidence is in its row.
    #[run(name = "KeyRotation")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Rotated> {
        let input = OpenInput {
            rotation: ctx.state(|s| s.input),
            workflow_id: ctx.workflow_id().to_owned(),
        };
        let options = limits::rotation("begin");
        let opened = ctx
            .execute_activity(RotationSteps::open, input, options)
            .await?;
        let Some(opened) = opened else {
            return Ok(Rotated {
                rotation_id: None,
                outcome: Outcome::Succeeded,
            });
        };
        let input = CloseInput {
            rotation_id: opened.rotation_id,
            outcome: match replace(ctx, opened).await {
                Ok(()) => Outcome::Succeeded,
                Err(outcome) => outcome,
            },
        };
        let options = limits::rotation("write the evidence");
        let rotated = ctx
            .execute_activity(RotationSteps::close, input, options)
            .await?;
        if input.outcome == Outcome::CalledOff {
            return Err(WorkflowTermination::cancelled());
        }
        Ok(rotated)
    }

    /// Somebody fears for it. No data: the steps read the row.
    #[signal(name = "wake")]
    pub fn wake(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {}
}

async fn replace(ctx: &WorkflowContext<KeyRotation>, opened: Opened) -> Result<(), Outcome> {
    let id = opened.rotation_id;
    let published = step(ctx, RotationSteps::publish, id, "publish the next key").await?;
    wait(ctx, published.wait_seconds).await?;
    let activated = step(ctx, RotationSteps::activate, id, "prove it and let it sign").await?;
    match opened.mode {
        Mode::Scheduled => wait(ctx, activated.wait_seconds).await?,
        Mode::BreakGlass => {
            // Nobody calls this off: the key is in wrong hands.
            let pause = Duration::from_secs(activated.wait_seconds.into());
            let options = TimerOptions::builder(pause)
                .summary("until no copy of the old keys is in use".to_owned())
                .cancellation_token(WorkflowCancellationToken::new())
                .build();
            ctx.timer(options).await;
        }
    }
    step(ctx, RotationSteps::revoke, id, "end the old key").await?;
    let mut input = ResignInput {
        rotation_id: id,
        after: None,
    };
    loop {
        let summary = "sign anew what is needed of what it had signed";
        input.after = step(ctx, RotationSteps::resign, input, summary).await?.last;
        if input.after.is_none() {
            return Ok(());
        }
    }
}

async fn step<A>(
    ctx: &WorkflowContext<KeyRotation>,
    activity: A,
    input: A::Input,
    summary: &str,
) -> Result<A::Output, Outcome>
where
    A: ActivityDefinition,
    A::Output: TemporalDeserializable,
{
    ctx.execute_activity(activity, input, limits::rotation(summary))
        .await
        .map_err(|_| Outcome::Failed)
}

/// Waits, unless somebody calls the rotation off.
async fn wait(ctx: &WorkflowContext<KeyRotation>, seconds: u32) -> Result<(), Outcome> {
    if seconds > 0 {
        ctx.timer(Duration::from_secs(seconds.into())).await;
    }
    if ctx.cancellation_token().is_cancelled() {
        return Err(Outcome::CalledOff);
    }
    Ok(())
}
