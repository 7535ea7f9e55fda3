//! Looks after the tables that only grow, one after the other: converts what has become too large,
//! keeps partitions ahead, and archives and drops those that have served their time. What fails for good
//! with one table keeps no other from its turn. The schedule's run proves the audit log at its end. A
//! run may instead be about one archive, which is read or brought back, or about the audit log.

use contract::partition::{
    ArchiveInput, ArchiveWork, AuditInput, CloseInput, Maintained, MaintenanceInput, OpenInput,
    PartitionSteps, Planned, TableInput,
};
use domain::data_growth::Guarded;
use domain::id::MaintenanceId;
use domain::partition::{Outcome, Report, Task};
use temporalio_common::ActivityDefinition;
use temporalio_common::data_converters::TemporalDeserializable;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult,
};

use crate::limits;
use crate::step::words;

#[workflow]
pub struct PartitionMaintenance {
    input: MaintenanceInput,
}

#[workflow_methods]
impl PartitionMaintenance {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: MaintenanceInput) -> Self {
        Self { input }
    }

    /// What was done is the result, for whoever looks at it in the UI.
    #[run(name = "PartitionMaintenance")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Maintained> {
        let input = OpenInput {
            maintenance: ctx.state(|s| s.input),
            workflow_id: ctx.workflow_id().to_owned(),
        };
        let options = limits::maintenance_end("see what is due");
        let opened = ctx
            .execute_activity(PartitionSteps::open, input, options)
            .await?;
        let Some(opened) = opened else {
            return Ok(Maintained {
                maintenance_id: None,
                outcome: Outcome::Succeeded,
                reports: Vec::new(),
            });
        };
        let maintenance_id = opened.maintenance_id;
        let mut reports = Vec::new();
        for planned in opened.tables {
            let mut report = Report::new(planned.table);
            if let Err(failed) = look_after(ctx, maintenance_id, planned, &mut report).await {
                report.failed = Some(failed.0);
            }
            reports.push(report);
        }
        if let Some(work) = opened.archive {
            let mut report = Report::new(work.table);
            if let Err(failed) = handle(ctx, maintenance_id, work, &mut report).await {
                report.failed = Some(failed.0);
            }
            reports.push(report);
        }
        if let Some(work) = opened.audit {
            let input = AuditInput {
                maintenance_id,
                archives: work.archives,
            };
            reports.push(prove_audit(ctx, input).await);
        }
        let input = CloseInput {
            maintenance_id,
            reports,
        };
        let options = limits::maintenance_end("say what was done");
        let maintained = ctx
            .execute_activity(PartitionSteps::close, input, options)
            .await?;
        Ok(maintained)
    }

    /// Somebody fears for it. No data: the steps read the row.
    #[signal(name = "wake")]
    pub fn wake(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {}
}

/// Which step of a table's failed for good.
struct Failed(String);

async fn look_after(
    ctx: &WorkflowContext<PartitionMaintenance>,
    maintenance_id: MaintenanceId,
    planned: Planned,
    report: &mut Report,
) -> Result<(), Failed> {
    let table = planned.table;
    let input = TableInput {
        maintenance_id,
        table,
    };
    if planned.convert {
        step(ctx, PartitionSteps::bind, input, &format!("bind {table}")).await?;
        let summary = format!("prove the bound of {table}");
        step(ctx, PartitionSteps::prove, input, &summary).await?;
        let summary = format!("cut {table} over");
        step(ctx, PartitionSteps::cut_over, input, &summary).await?;
        report.converted = true;
    }
    let summary = format!("make partitions of {table}");
    report.added = step(ctx, PartitionSteps::premake, input, &summary)
        .await?
        .partitions;
    let archive = format!("archive what has served its time of {table}");
    let drop = format!("drop what has served its time of {table}");
    loop {
        let archived = step(ctx, PartitionSteps::archive, input, &archive).await?;
        report.archived.extend(archived);
        let Some(dropped) = step(ctx, PartitionSteps::expire, input, &drop).await? else {
            return Ok(());
        };
        report.dropped.push(dropped);
    }
}

/// What is wrong with the audit log is a failure: somebody has to look.
async fn prove_audit(ctx: &WorkflowContext<PartitionMaintenance>, input: AuditInput) -> Report {
    let mut report = Report::new(Guarded::AuditLogs);
    let summary = "prove the chains of the audit log";
    let options = limits::proof(summary);
    let proof = ctx.execute_activity(PartitionSteps::prove_audit, input, options);
    match proof.await {
        Ok(proof) => {
            let first = proof.findings.first();
            let count = proof.finding_count;
            report.failed =
                first.map(|first| format!("{summary}: {count} findings, the first: {first}"));
            report.audit = Some(proof);
        }
        Err(error) => report.failed = Some(format!("{summary}: {}", words(&error))),
    }
    report
}

async fn handle(
    ctx: &WorkflowContext<PartitionMaintenance>,
    maintenance_id: MaintenanceId,
    work: ArchiveWork,
    report: &mut Report,
) -> Result<(), Failed> {
    let archive_id = work.archive_id;
    let input = ArchiveInput {
        maintenance_id,
        archive_id,
    };
    if work.task == Task::Restore {
        let summary = format!("bring {archive_id} back");
        let name = step(ctx, PartitionSteps::restore, input, &summary).await?;
        report.restored.push(name);
    } else {
        let summary = format!("read {archive_id}");
        let name = step(ctx, PartitionSteps::verify, input, &summary).await?;
        report.archived.push(name);
    }
    Ok(())
}

async fn step<A>(
    ctx: &WorkflowContext<PartitionMaintenance>,
    activity: A,
    input: A::Input,
    summary: &str,
) -> Result<A::Output, Failed>
where
    A: ActivityDefinition,
    A::Output: TemporalDeserializable,
{
    ctx.execute_activity(activity, input, limits::maintenance(summary))
        .await
        .map_err(|error| Failed(format!("{summary}: {}", words(&error))))
}
