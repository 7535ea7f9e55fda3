//! `GET /admin/partitions:plan`

use db::partition::{Form, PATIENCE_MILLIS};
use domain::data_growth::{Guarded, Triggers, Verdict};
use domain::partition::{Archiving, Interval, Step};
use domain::policy::{Policy, Scope};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::call::{Call, Reader};
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// What the next maintenance would do.
#[derive(Debug, Serialize, ToSchema)]
struct PartitionPlan {
    items: Vec<TablePlan>,
}

/// What it would do to one table.
#[derive(Debug, Serialize, ToSchema)]
struct TablePlan {
    #[schema(value_type = String, example = "usage_records")]
    table: Guarded,
    /// `plain`, `bound` (its conversion has begun) or `converted`.
    form: &'static str,
    /// `well`, `near` (half of a trigger), `crossed` or `neglected` (by vacuum).
    #[schema(value_type = String)]
    verdict: Verdict,
    /// Where a plain table's rows would end, or where the last partition does; beyond it nothing can
    /// be written.
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    /// Empty: nothing is due.
    steps: Vec<StepView>,
    /// Those that would convert it if that was asked for; empty: it is converted.
    on_demand: Vec<StepView>,
}

/// One transaction.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PartitionStep)]
struct StepView {
    /// `bind`, `prove`, `cut_over`, `premake`, `archive` or `expire`.
    #[schema(value_type = String)]
    step: Step,
    /// The table, the day on which a new partition begins, or the partition that is dropped.
    subject: String,
    lock: &'static str,
    /// For how long others may have to wait until it gets its lock, or gives up and tries again; 0:
    /// nobody waits.
    wait_limit_millis: u32,
    /// How it is taken back.
    rollback: &'static str,
}

impl StepView {
    fn new(step: Step, subject: String) -> Self {
        Self {
            step,
            subject,
            lock: step.lock(),
            wait_limit_millis: step.tables_locked() * PATIENCE_MILLIS,
            rollback: step.rollback(),
        }
    }
}

/// See what the next maintenance of the tables that only grow would do
///
/// Nothing is done. What is due without asking is in `steps`.
#[utoipa::path(get, path = "/api/v1/admin/partitions:plan",
    responses((status = 200, description = "By table", body = PartitionPlan)))]
async fn handler(call: Call, mut reader: Reader) -> Result<axum::Json<PartitionPlan>, Problem> {
    let policy = call.policy()?;
    let value = |of: &'static Policy| policy.value(of, Scope::Platform);
    let conn = reader.conn();
    let now = db::clock::now(conn).await?;
    let mut items = Vec::new();
    for sample in db::data_growth::sample(conn).await? {
        let table = sample.table;
        let triggers = Triggers::from_values(Triggers::policies(table).each_ref().map(value));
        let verdict = sample.size.verdict(&triggers);
        let settings = table.settings();
        let interval = Interval::from_repr(value(settings.interval)).unwrap_or(Interval::Month);
        let ahead = value(settings.ahead).try_into().unwrap_or(0);
        let bound = interval.bound(now);
        let mut served = Vec::new();
        let (until, remaining) = match sample.form {
            Form::Bound { until, proved } if !interval.is_near(until, now) => {
                (until, &Step::CONVERSION[1 + usize::from(proved)..])
            }
            Form::Plain | Form::Bound { .. } => (bound, Step::CONVERSION),
            Form::Converted => {
                let there = db::partition::list(conn, Some(table)).await?;
                let archived = match settings.archive {
                    Archiving::Always => true,
                    Archiving::If(policy) => value(policy) == 1,
                };
                let kept = table.kept(value(settings.kept));
                let mut serve = |name: String, archived: bool| {
                    let steps = [archived.then_some(Step::Archive), Some(Step::Expire)];
                    let of = |step| StepView::new(step, name.clone());
                    served.extend(steps.into_iter().flatten().map(of));
                };
                for name in db::partition::leaving(conn, table).await? {
                    // What was detached without an archive goes without one.
                    let known = db::archive::of_partition(conn, &name).await?;
                    serve(name, known.is_some());
                }
                for one in &there {
                    if kept.is_none_or(|kept| one.until + kept > now) {
                        break;
                    }
                    if one.held_until.is_some_and(|until| until > now) {
                        continue;
                    }
                    if db::partition::owed(conn, one).await? > 0 {
                        break;
                    }
                    serve(one.name.clone(), archived);
                }
                let last = there.last();
                (last.map_or(now, |last| last.until), [].as_slice())
            }
        };
        let converting = remaining
            .iter()
            .map(|step| StepView::new(*step, table.to_string()));
        let premaking = interval.missing(until, ahead, now).into_iter();
        let premaking =
            premaking.map(|(since, _)| StepView::new(Step::Premake, since.date().to_string()));
        let all: Vec<_> = converting.chain(premaking).chain(served).collect();
        let due = sample.form != Form::Plain || verdict == Verdict::Crossed;
        let (steps, on_demand) = if due {
            (all, Vec::new())
        } else {
            (Vec::new(), all)
        };
        items.push(TablePlan {
            table,
            form: sample.form.as_str(),
            verdict,
            until,
            steps,
            on_demand,
        });
    }
    Ok(axum::Json(PartitionPlan { items }))
}
