//! Where a run of the maintenance begins and ends.

use contract::partition::{
    ArchiveWork, AuditWork, CloseInput, Maintained, MaintenanceInput, OpenInput, Opened, Planned,
};
use db::maintenance::{Maintenance, NewMaintenance};
use db::partition::Form;
use db::{PgConnection, PgPool};
use domain::data_growth::Verdict;
use domain::id::OperationId;
use domain::partition::{Outcome, Task};
use domain::reason::Code;
use domain::state::{OperationState, StepState};

use crate::allocation::record_step;
use crate::refusal::Refusal;

pub(super) async fn open(pool: &PgPool, input: &OpenInput) -> Result<Option<Opened>, Refusal> {
    let mut tx = pool.begin().await?;
    db::maintenance::turn(&mut tx).await?;
    let Some(found) = begin(&mut tx, input.maintenance, &input.workflow_id).await? else {
        return Ok(None);
    };
    let archive = archive_work(&mut tx, &found).await?;
    let samples = db::data_growth::sample(&mut tx).await?;
    let mut tables = Vec::new();
    for sample in &samples {
        db::maintenance::keep_sample(&mut tx, sample).await?;
        let table = sample.table;
        if archive.is_some()
            || found.task == Task::Audit
            || found.only.is_some_and(|only| only != table)
        {
            continue;
        }
        let triggers = db::data_growth::triggers(&mut tx, table).await?;
        let due = found.task == Task::Convert || sample.size.verdict(&triggers) == Verdict::Crossed;
        let convert = match sample.form {
            Form::Plain => due,
            // It is bound to end: whoever began has to finish.
            Form::Bound { .. } => true,
            Form::Converted => false,
        };
        tables.push(Planned { table, convert });
    }
    let audit = audit_work(&found);
    let text = match &archive {
        Some(work) => format!("{} is looked at", work.archive_id),
        None if found.task == Task::Audit => "the audit log is looked at".to_owned(),
        None => format!("{} tables are looked after", tables.len()),
    };
    let done = StepState::Succeeded;
    record_step(&mut tx, found.operation_id, "open", done, Some(&text)).await?;
    tx.commit().await?;
    Ok(Some(Opened {
        maintenance_id: found.id,
        tables,
        archive,
        audit,
    }))
}

/// Whoever asks has all of the audit log proved; the schedule leaves out what archives hold, of
/// which it reads the manifests alone.
fn audit_work(run: &Maintenance) -> Option<AuditWork> {
    match run.task {
        Task::Audit => Some(AuditWork { archives: true }),
        Task::Maintain if run.requested_by.is_none() => Some(AuditWork { archives: false }),
        _ => None,
    }
}

/// What a run that is about an archive has to do.
async fn archive_work(
    conn: &mut PgConnection,
    run: &Maintenance,
) -> Result<Option<ArchiveWork>, Refusal> {
    let Some(archive_id) = run.archive_id else {
        return Ok(None);
    };
    let archive = db::archive::find(conn, archive_id).await?;
    let archive = archive.ok_or_else(|| Refusal::conflict(archive_id, "no such archive"))?;
    Ok(Some(ArchiveWork {
        archive_id,
        table: archive.table,
        task: run.task,
    }))
}

/// The run of a workflow: the one that was asked for, or a new one of the schedule's.
async fn begin(
    conn: &mut PgConnection,
    input: MaintenanceInput,
    workflow_id: &str,
) -> Result<Option<Maintenance>, Refusal> {
    let under_way = db::maintenance::under_way(conn).await?;
    let id = match (input.maintenance_id, under_way) {
        (Some(id), _) => id,
        (None, Some((id, by))) if by == workflow_id => id,
        (None, Some(_)) => return Ok(None),
        (None, None) => {
            let new = NewMaintenance {
                id: db::id::fresh(),
                task: Task::Maintain,
                only: None,
                archive_id: None,
                reason: "its time has come",
                requested_by: None,
                workflow_id,
            };
            db::maintenance::insert(conn, new).await?;
            new.id
        }
    };
    let found = db::maintenance::find(conn, id).await?;
    let found = found.ok_or_else(|| Refusal::conflict(id, "no such run"))?;
    Ok(found.ended_at.is_none().then_some(found))
}

pub(super) async fn close(pool: &PgPool, input: CloseInput) -> Result<Maintained, Refusal> {
    let outcome = Outcome::of(&input.reports);
    let mut tx = pool.begin().await?;
    if db::maintenance::end(&mut tx, input.maintenance_id, outcome, &input.reports).await? {
        let found = db::maintenance::find(&mut tx, input.maintenance_id).await?;
        if let Some(operation) = found.and_then(|found| found.operation_id) {
            end_operation(&mut tx, operation, outcome, &input).await?;
        }
    }
    tx.commit().await?;
    Ok(Maintained {
        maintenance_id: Some(input.maintenance_id),
        outcome,
        reports: input.reports,
    })
}

async fn end_operation(
    conn: &mut PgConnection,
    operation: OperationId,
    outcome: Outcome,
    input: &CloseInput,
) -> Result<(), Refusal> {
    let failed: Vec<&str> = input
        .reports
        .iter()
        .filter_map(|one| one.failed.as_deref())
        .collect();
    let (state, step, code) = match outcome {
        Outcome::Succeeded => (OperationState::Succeeded, StepState::Succeeded, None),
        Outcome::Failed => {
            let code = Code::step_exhausted();
            (OperationState::Failed, StepState::Failed, Some(code))
        }
    };
    if !input.reports.iter().any(|report| report.converted) {
        let text = "no table was converted";
        record_step(
            conn,
            Some(operation),
            "convert",
            StepState::Skipped,
            Some(text),
        )
        .await?;
    }
    let text = failed.join("; ");
    let detail = (!failed.is_empty()).then_some(text.as_str());
    record_step(conn, Some(operation), "close", step, detail).await?;
    db::order::finish(conn, operation, state, code.as_ref()).await?;
    Ok(())
}
