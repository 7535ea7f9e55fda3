//! One step's accounts. All of them in one transaction; if one of them breaks it, each in its own, so
//! that the others are billed and that one is left for people.

use contract::billing::{PostInput, Posted, Tally};
use db::billing::charge::{self, Charged, Due};
use db::billing::reverse;
use db::billing::run::{self, Run};
use db::billing::shard::{self, Standing};
use db::{PgConnection, PgPool};
use domain::data_growth::Guarded;
use domain::event::{CreditNoteIssued, InvoiceIssued};
use domain::id::OrgId;
use domain::money::Money;
use domain::policy::{self, Scope};

use super::find;
use crate::allocation::count;
use crate::refusal::Refusal;

/// Bills the next accounts of a run.
pub async fn post(pool: &PgPool, input: PostInput) -> Result<Posted, Refusal> {
    let mut conn = pool.acquire().await?;
    let run = find(&mut conn, input.run_id).await?;
    let batch = db::policy::resolve(&mut conn, &policy::BILLING_BATCH, Scope::Platform).await?;
    if let Some(operation) = run.operation_id {
        let order = db::order::get(&mut conn, operation).await?;
        if order.is_none_or(|order| order.cancel_requested_at.is_some()) {
            return Ok(Posted {
                last: None,
                called_off: true,
                tally: Tally::default(),
            });
        }
        if input.after.is_none() {
            db::operation_step::start(&mut conn, operation, "post").await?;
        }
    }
    drop(conn);
    let Some(epoch) = run.epoch else {
        return Err(Refusal::conflict(run.id, "it was not opened"));
    };
    let shard = Shard {
        run: &run,
        epoch,
        after: input.after,
        batch,
    };
    let (last, tally) = match shard.settle(pool, None).await {
        Ok(done) => done,
        Err(Refusal::Database(error)) if is_of_the_data(&error) || is_too_slow(&error) => {
            shard.one_by_one(pool).await?
        }
        Err(refusal) => return Err(refusal),
    };
    Ok(Posted {
        last,
        called_off: false,
        tally,
    })
}

/// Whether what is in the rows broke it, and would break it again: a rule of the schema, or a number
/// out of range. Whatever else it is passes, and the step is tried again.
fn is_of_the_data(error: &db::Error) -> bool {
    match error {
        db::Error::Constraint { .. } | db::Error::Inconsistent { .. } => true,
        // Class 22: data exception.
        db::Error::Database(_) => sqlstate(error).is_some_and(|code| code.starts_with("22")),
        db::Error::RowsAffected { .. } | db::Error::NoPartition(_) => false,
    }
}

/// Whether the server gave a statement up: fewer accounts at once take less time.
fn is_too_slow(error: &db::Error) -> bool {
    sqlstate(error).is_some_and(|code| code == "57014")
}

fn sqlstate(error: &db::Error) -> Option<String> {
    let db::Error::Database(source) = error else {
        return None;
    };
    let code = source.as_database_error()?.code()?;
    Some(code.into_owned())
}

struct Shard<'a> {
    run: &'a Run,
    epoch: i64,
    after: Option<OrgId>,
    batch: i64,
}

impl Shard<'_> {
    /// Settles the accounts behind `after`, or one of them alone; the last of them.
    async fn settle(
        &self,
        pool: &PgPool,
        alone: Option<OrgId>,
    ) -> Result<(Option<OrgId>, Tally), Refusal> {
        let mut tx = pool.begin().await?;
        db::partition::keep_still(&mut tx).await?;
        let only = alone.or(self.run.org_id);
        let after = self.after.filter(|_| alone.is_none());
        let accounts = shard::lock(&mut tx, after, only, self.batch).await?;
        let last = accounts.last().map(|account| account.org_id);
        let period = self.run.period;
        let standings = shard::standings(&mut tx, &accounts, period, self.epoch).await?;
        let mut tally = Tally::default();
        let due = self.due(&mut tx, standings, &mut tally).await?;
        self.all_there(&mut tx, &due).await?;
        let notes = reverse::reverse(&mut tx, self.run.id, &due, period).await?;
        let bills = charge::charge(&mut tx, self.run.id, &due, period, self.epoch).await?;
        let orgs: Vec<OrgId> = due.iter().map(|due| due.account.org_id).collect();
        shard::unpark(&mut tx, &orgs, period).await?;
        publish(&mut tx, &notes, &bills).await?;
        tally.invoiced += count(bills.len().try_into().unwrap_or(i64::MAX));
        tally.unused += count((due.len() - bills.len()).try_into().unwrap_or(i64::MAX));
        if let Some(operation) = self.run.operation_id {
            let run = find(&mut tx, self.run.id).await?;
            let totals = run::totals(&mut tx, run.id).await?;
            let far = so_far(&run, &totals);
            db::operation_step::progress(&mut tx, operation, "post", &far).await?;
        }
        tx.commit().await?;
        let rows = u64::from(tally.invoiced) + u64::from(tally.unused);
        metrics::counter!("billing_run_rows_total").increment(rows);
        Ok((last, tally))
    }

    /// Nothing is billed anew of a period whose records, or entries, are in archives alone: what is
    /// not seen would be taken for not used.
    async fn all_there(&self, conn: &mut PgConnection, due: &[Due]) -> Result<(), Refusal> {
        // Records are read of whoever is billed; entries of a former bill are taken back.
        let records = (!due.is_empty()).then_some(Guarded::UsageRecords);
        let again = due.iter().any(|due| due.revision > 0);
        let entries = again.then_some(Guarded::LedgerEntries);
        for table in records.into_iter().chain(entries) {
            let gone = db::archive::gone_until(&mut *conn, table).await?;
            if gone.is_some_and(|until| self.run.period.start < until) {
                let why = format!("rows of {table} of its period are archived; restore them first");
                return Err(Refusal::conflict(self.run.id, why));
            }
        }
        Ok(())
    }

    /// Which of the accounts are to be billed; those that cannot be are parked.
    async fn due(
        &self,
        conn: &mut PgConnection,
        standings: Vec<Standing>,
        tally: &mut Tally,
    ) -> Result<Vec<Due>, Refusal> {
        let mut due = Vec::new();
        for Standing {
            account,
            due: revision,
            overlaps,
        } in standings
        {
            match revision {
                None => tally.settled += 1,
                Some(_) if overlaps => {
                    let why = "part of the period was billed with another one";
                    self.park(conn, account.org_id, "period_overlaps", why)
                        .await?;
                    tally.parked += 1;
                }
                Some(revision) => due.push(Due { account, revision }),
            }
        }
        let period = self.run.period;
        for unpriced in charge::unpriced(conn, &due, period, self.epoch).await? {
            let why = format!("no price for {} at some time", unpriced.skus);
            self.park(conn, unpriced.org_id, "no_price", &why).await?;
            tally.parked += 1;
            due.retain(|due| due.account.org_id != unpriced.org_id);
        }
        Ok(due)
    }

    async fn park(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        reason: &str,
        why: &str,
    ) -> Result<(), Refusal> {
        shard::park(conn, self.run.id, org, self.run.period, reason, why).await?;
        Ok(())
    }

    /// The same accounts, each in a transaction of its own. Those that break are parked.
    async fn one_by_one(&self, pool: &PgPool) -> Result<(Option<OrgId>, Tally), Refusal> {
        let mut conn = pool.acquire().await?;
        let orgs = shard::ids(&mut conn, self.after, self.run.org_id, self.batch).await?;
        drop(conn);
        let mut tally = Tally::default();
        for org in &orgs {
            match self.settle(pool, Some(*org)).await {
                Ok((_, one)) => tally += one,
                Err(Refusal::Database(error)) if is_of_the_data(&error) => {
                    let why = format!("{:#}", anyhow::Error::new(error));
                    tracing::error!(org_id = %org, run_id = %self.run.id, why, "an account cannot be billed");
                    let mut conn = pool.acquire().await?;
                    self.park(&mut conn, *org, "cannot_be_billed", &why).await?;
                    tally.parked += 1;
                }
                Err(refusal) => return Err(refusal),
            }
        }
        let last = orgs.last().copied();
        Ok((last, tally))
    }
}

async fn publish(
    conn: &mut PgConnection,
    notes: &[Charged],
    bills: &[Charged],
) -> Result<(), Refusal> {
    for note in notes {
        let event = CreditNoteIssued {
            invoice_id: note.invoice_id,
        };
        db::outbox::append(conn, Some(note.org_id), &event.into()).await?;
    }
    for bill in bills {
        let event = InvoiceIssued {
            invoice_id: bill.invoice_id,
        };
        db::outbox::append(conn, Some(bill.org_id), &event.into()).await?;
    }
    Ok(())
}

/// How far a run is, for people.
pub(super) fn so_far(run: &Run, totals: &[Money]) -> String {
    let counts = format!(
        "{} accounts billed, {} invoices, {} credit notes, {} parked",
        run.accounts_billed, run.invoices_issued, run.credit_notes_issued, run.accounts_parked
    );
    let totals = totals.iter().map(Money::to_string);
    std::iter::once(counts)
        .chain(totals)
        .collect::<Vec<_>>()
        .join("; ")
}
