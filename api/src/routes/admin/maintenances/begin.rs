//! How every run begins that looks after the tables that only grow.

use contract::workflow_id;
use db::intent::IntentKind;
use db::maintenance::{NewMaintenance, ONE_UNDER_WAY};
use domain::data_growth::Guarded;
use domain::id::ArchiveId;
use domain::operation::OperationKind;
use domain::partition::Task;
use domain::policy::{OPERATION_DEADLINE, Scope};

use crate::delivery;
use crate::mutation::{Committed, Permitted};
use crate::problem::{Code, Problem};
use crate::routes::admin::work::{self, Work};
use crate::routes::operations::OperationView;

/// What is to be done.
pub(in crate::routes::admin) struct Run<'a> {
    pub(in crate::routes::admin) task: Task,
    /// `None`: all tables.
    pub(in crate::routes::admin) only: Option<Guarded>,
    pub(in crate::routes::admin) archive_id: Option<ArchiveId>,
    pub(in crate::routes::admin) reason: &'a str,
}

/// Places it, and answers with its operation. 409: one is under way.
pub(in crate::routes::admin) async fn begin(
    mut permitted: Permitted,
    run: Run<'_>,
) -> Result<Committed<OperationView>, Problem> {
    let by = permitted.principal()?.user_id;
    let (app, policy) = (permitted.app(), permitted.policy()?);
    let id = db::id::fresh();
    let workflow_id = workflow_id::maintenance(id);
    let new = NewMaintenance {
        id,
        task: run.task,
        only: run.only,
        archive_id: run.archive_id,
        reason: run.reason,
        requested_by: Some(by),
        workflow_id: &workflow_id,
    };
    let conn = permitted.conn();
    db::maintenance::insert(conn, new).await.map_err(taken)?;
    let work = Work {
        kind: OperationKind::MaintenanceCreate,
        resource_id: id.uuid(),
        workflow_type: workflow_id::PARTITION_MAINTENANCE,
        workflow_id: &workflow_id,
        requested_by: by,
        deadline_seconds: policy.value(&OPERATION_DEADLINE, Scope::Platform),
    };
    let (operation, intent) = work::place(conn, work, IntentKind::Start).await?;
    let view = OperationView::new(operation, &app.settings);
    let answer = permitted.accepted(view).await?;
    delivery::spawn(&app, intent);
    Ok(answer)
}

fn taken(error: db::Error) -> Problem {
    match error.constraint() {
        Some(ONE_UNDER_WAY) => {
            Problem::new(Code::Conflict).detail("the tables are being looked after already")
        }
        _ => error.into(),
    }
}
