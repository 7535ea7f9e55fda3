//! Tables that only grow: converted to partitions while they are written to, and kept ahead of time.

mod archive;
mod chain;
mod due;
mod restore;
mod rows;
mod run;

use std::sync::Arc;

use contract::partition::{
    Archive, ArchiveInput, AuditInput, Bind, Close, CloseInput, CutOver, Expire, Maintained, Open,
    OpenInput, Opened, Premade, Premake, Prove, ProveAudit, Restore, TableInput, Verify,
};
use db::disposable::Disposable;
use db::partition::Form;
use db::{PgConnection, PgPool, Postgres, Transaction};
use domain::audit_chain::Proof;
use domain::data_growth::Guarded;
use domain::id::MaintenanceId;
use domain::partition::Interval;
use domain::policy::{Policy, Scope};
use domain::state::StepState;
use platform::objects::Objects;
use platform::signing::Signer;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use time::OffsetDateTime;

use self::due::{Due, due};
use crate::allocation::{name_run, record_step};
use crate::audit;
use crate::machine::beat;
use crate::refusal::Refusal;

/// The steps, on a pool of the role `berth_worker` and one of the role that owns the tables.
#[derive(Debug, Clone)]
pub struct Partitions {
    pub pool: PgPool,
    pub owner: PgPool,
    pub objects: Objects,
    pub signer: Signer,
}

#[activities]
impl Partitions {
    #[activity(definition = Open)]
    pub async fn open(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: OpenInput,
    ) -> Result<Option<Opened>, ActivityError> {
        let opened = run::open(&self.pool, &input).await?;
        if let Some(opened) = &opened {
            name_run(&self.pool, &ctx, opened.maintenance_id.uuid()).await?;
        }
        Ok(opened)
    }

    #[activity(definition = Bind)]
    pub async fn bind(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: TableInput,
    ) -> Result<(), ActivityError> {
        let step = async { Ok(self.bind_at(input, None).await?) };
        Ok(beat(&ctx, step).await?)
    }

    #[activity(definition = Prove)]
    pub async fn prove(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: TableInput,
    ) -> Result<(), ActivityError> {
        let step = async { Ok(self.prove_all(input).await?) };
        Ok(beat(&ctx, step).await?)
    }

    #[activity(definition = CutOver)]
    pub async fn cut_over(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: TableInput,
    ) -> Result<(), ActivityError> {
        let step = async { Ok(self.swap(input).await?) };
        beat(&ctx, step).await?;
        Ok(())
    }

    #[activity(definition = Premake)]
    pub async fn premake(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: TableInput,
    ) -> Result<Premade, ActivityError> {
        let step = async { Ok(self.premake_at(input, None).await?) };
        let partitions = beat(&ctx, step).await?;
        Ok(Premade { partitions })
    }

    #[activity(definition = Expire)]
    pub async fn expire(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: TableInput,
    ) -> Result<Option<String>, ActivityError> {
        let step = async { Ok(self.expire_at(input, None).await?) };
        Ok(beat(&ctx, step).await?)
    }

    #[activity(definition = Archive)]
    pub async fn archive(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: TableInput,
    ) -> Result<Option<String>, ActivityError> {
        let step = async { Ok(self.archive_at(input, None).await?) };
        Ok(beat(&ctx, step).await?)
    }

    #[activity(definition = Verify)]
    pub async fn verify(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: ArchiveInput,
    ) -> Result<String, ActivityError> {
        let step = async { Ok(self.read_back(input).await?) };
        Ok(beat(&ctx, step).await?)
    }

    #[activity(definition = ProveAudit)]
    pub async fn prove_audit(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: AuditInput,
    ) -> Result<Proof, ActivityError> {
        let step = async {
            let proof = self.prove_chains(input.archives).await?;
            let text = format!(
                "{} entries, {} in archives, {} signed heads",
                proof.entries, proof.archived_entries, proof.checkpoints
            );
            self.tell(input.maintenance_id, "audit", &text).await?;
            Ok(proof)
        };
        Ok(beat(&ctx, step).await?)
    }

    #[activity(definition = Restore)]
    pub async fn restore(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: ArchiveInput,
    ) -> Result<String, ActivityError> {
        let step = async { Ok(self.bring_back(input).await?) };
        Ok(beat(&ctx, step).await?)
    }

    #[activity(definition = Close)]
    pub async fn close(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: CloseInput,
    ) -> Result<Maintained, ActivityError> {
        Ok(run::close(&self.pool, input).await?)
    }
}

impl Partitions {
    /// Sets an end to the rows of a plain table. `now`: `None` for the database's.
    pub async fn bind_at(
        &self,
        input: TableInput,
        now: Option<OffsetDateTime>,
    ) -> Result<(), Refusal> {
        let (mut tx, table) = (self.change(input).await?, input.table);
        let interval = interval(&mut tx, table).await?;
        let now = at(&mut tx, now).await?;
        match db::partition::form(&mut tx, table).await? {
            Form::Converted => return Ok(()),
            Form::Bound { until, .. } if !interval.is_near(until, now) => return Ok(()),
            Form::Bound { .. } | Form::Plain => {}
        }
        done(
            table,
            db::partition::bind(&mut tx, table, interval.bound(now)).await,
        )?;
        tx.commit().await?;
        Ok(())
    }

    /// Looks at every row, whether it is within the bound.
    pub async fn prove_all(&self, input: TableInput) -> Result<(), Refusal> {
        let mut tx = self.change(input).await?;
        if let Form::Bound { proved: false, .. } = db::partition::form(&mut tx, input.table).await?
        {
            done(
                input.table,
                db::partition::prove(&mut tx, input.table).await,
            )?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Puts a partitioned table in the plain one's place; `false`: it was there already.
    pub async fn swap(&self, input: TableInput) -> Result<bool, Refusal> {
        let (mut tx, table) = (self.change(input).await?, input.table);
        match db::partition::form(&mut tx, table).await? {
            Form::Converted => return Ok(false),
            Form::Bound { proved: true, .. } => {}
            Form::Bound { .. } | Form::Plain => {
                return Err(Refusal::conflict(table, "its bound is not proved"));
            }
        }
        done(table, db::partition::cut_over(&mut tx, table).await)?;
        audit::partition(&mut tx, input.maintenance_id, "convert", table.as_str()).await?;
        tx.commit().await?;
        let text = format!("{table} is partitioned");
        self.tell(input.maintenance_id, "convert", &text).await?;
        Ok(true)
    }

    /// Makes the partitions that have to be there, and returns their names. `now`: `None` for the
    /// database's.
    pub async fn premake_at(
        &self,
        input: TableInput,
        now: Option<OffsetDateTime>,
    ) -> Result<Vec<String>, Refusal> {
        let table = input.table;
        let mut added = Vec::new();
        // One a transaction, so that no lock is held for more than one of them.
        loop {
            let mut tx = self.change(input).await?;
            let Some((since, until)) = next_missing(&mut tx, table, now).await? else {
                break;
            };
            let name = done(
                table,
                db::partition::add(&mut tx, table, since, until).await,
            )?;
            audit::partition(&mut tx, input.maintenance_id, "add", &name).await?;
            tx.commit().await?;
            added.push(name);
        }
        if !added.is_empty() {
            self.analyze(table).await?;
        }
        let text = format!("{} partitions of {table} were made", added.len());
        self.tell(input.maintenance_id, "premake", &text).await?;
        Ok(added)
    }

    /// Without it plans are worse, and nothing else: it waits for nobody longer than it has to.
    async fn analyze(&self, table: Guarded) -> Result<(), Refusal> {
        let mut conn = self.owner.acquire().await?;
        if let Err(error) = db::partition::analyze(&mut conn, table).await {
            tracing::warn!(%table, error = &error as &dyn std::error::Error, "no statistics");
        }
        Ok(())
    }

    /// Drops the oldest partition that has served its time, and returns its name. `now`: `None` for the
    /// database's.
    pub async fn expire_at(
        &self,
        input: TableInput,
        now: Option<OffsetDateTime>,
    ) -> Result<Option<String>, Refusal> {
        let table = input.table;
        let mut conn = Disposable::of(&self.owner).await?;
        let Some(due) = due(&mut conn, table, now).await? else {
            return Ok(None);
        };
        // What is not asked for any more keeps nothing here.
        let asked = archive::is_archived(&mut conn, table).await?;
        match (
            &due,
            db::archive::of_partition(&mut conn, due.name()).await?,
        ) {
            (Due::Attached(partition), None) if asked => {
                return Err(Refusal::conflict(&partition.name, "it was not archived"));
            }
            // While it is there still: what is not sound elsewhere stays where it is.
            (_, Some(known)) if asked => self.prove_whole(&known).await?,
            _ => {}
        }
        if let Due::Attached(partition) = &due {
            db::partition::detach(&mut conn, partition).await?;
        }
        drop(conn);
        let name = due.name().to_owned();
        if asked {
            // Nobody writes to it any more: what is there now is what will be gone.
            self.compare(table, &name).await?;
        }
        let mut tx = self.change(input).await?;
        db::partition::drop_detached(&mut tx, &name).await?;
        audit::partition(&mut tx, input.maintenance_id, "drop", &name).await?;
        tx.commit().await?;
        Ok(Some(name))
    }

    /// A transaction of the owner's that no other change of partitions runs beside.
    async fn change(&self, input: TableInput) -> Result<Transaction<'static, Postgres>, Refusal> {
        let mut tx = self.owner.begin().await?;
        alone(&mut tx, input.table).await?;
        Ok(tx)
    }

    /// Shows a step to whoever asked for the run.
    async fn tell(&self, id: MaintenanceId, step: &str, what: &str) -> Result<(), Refusal> {
        let mut tx = self.pool.begin().await?;
        if let Some(found) = db::maintenance::find(&mut tx, id).await? {
            let done = StepState::Succeeded;
            record_step(&mut tx, found.operation_id, step, done, Some(what)).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Keeps every other change of partitions away until the transaction ends.
async fn alone(conn: &mut PgConnection, table: Guarded) -> Result<(), Refusal> {
    if !db::partition::is_owner(conn, table).await? {
        let why = "BERTH_DATABASE_OWNER_URL names a role that does not own it";
        return Err(Refusal::conflict(table, why));
    }
    db::partition::alone(conn, table).await?;
    Ok(())
}

/// What trying again would not change ends the table's turn.
fn done<T>(table: Guarded, result: db::Result<T>) -> Result<T, Refusal> {
    match result {
        Err(error) if db::partition::is_for_good(&error) => {
            let source = std::error::Error::source(&error);
            let why = source.map_or_else(|| error.to_string(), ToString::to_string);
            Err(Refusal::conflict(table, why))
        }
        other => Ok(other?),
    }
}

async fn at(
    conn: &mut PgConnection,
    now: Option<OffsetDateTime>,
) -> Result<OffsetDateTime, Refusal> {
    match now {
        Some(now) => Ok(now),
        None => Ok(db::clock::now(conn).await?),
    }
}

async fn value(conn: &mut PgConnection, policy: &'static Policy) -> Result<i64, Refusal> {
    Ok(db::policy::resolve(conn, policy, Scope::Platform).await?)
}

async fn interval(conn: &mut PgConnection, table: Guarded) -> Result<Interval, Refusal> {
    let value = value(conn, table.settings().interval).await?;
    Interval::from_repr(value).ok_or_else(|| Refusal::conflict(table, "there is no such interval"))
}

/// The first partition that is not there and has to be.
async fn next_missing(
    conn: &mut PgConnection,
    table: Guarded,
    now: Option<OffsetDateTime>,
) -> Result<Option<(OffsetDateTime, OffsetDateTime)>, Refusal> {
    let there = db::partition::list(conn, Some(table)).await?;
    let Some(last) = there.last() else {
        return Ok(None);
    };
    let interval = interval(conn, table).await?;
    let ahead = value(conn, table.settings().ahead).await?;
    let now = at(conn, now).await?;
    let missing = interval.missing(last.until, ahead.try_into().unwrap_or(0), now);
    Ok(missing.first().copied())
}
