//! Gauges of what waits for people, and of how long people wait. The leader of the events sets them,
//! so that they are counted once.

use activities::retention;
use db::PgConnection;
use domain::data_growth::Measure;
use domain::policy::{self, Scope};
use domain::retention::Forgotten;
use time::Duration;

/// For how long something may run after the money for it has ended, until people are called.
const BALANCE_LATE_SECONDS: i32 = 60;
const SECONDS_PER_DAY: f64 = 86_400.0;

pub(super) async fn observe(conn: &mut PgConnection) -> db::Result<()> {
    let stuck = db::stats::attention(conn).await?.allocations_stuck;
    metrics::gauge!("allocation_stuck").set(gauge(stuck));
    for queue in db::allocation::queue::waits(conn).await? {
        metrics::gauge!("allocation_queue_oldest_wait_seconds", "sku" => queue.sku)
            .set(gauge(queue.oldest_wait_seconds));
    }
    let limit = db::policy::resolve(conn, &policy::QUEUE_WAIT_LIMIT, Scope::Platform).await?;
    metrics::gauge!("allocation_queue_wait_limit_seconds").set(gauge(limit));
    Ok(())
}

/// Gauges that read more than a few rows: billing, tables that only grow, and the audit log.
pub(super) async fn survey(conn: &mut PgConnection) -> db::Result<()> {
    let now = db::clock::now(conn).await?;
    let billing = db::billing::watch::watch(conn, now).await?;
    metrics::gauge!("billing_accounts_parked").set(gauge(billing.accounts_parked));
    metrics::gauge!("billing_accounts_late").set(gauge(billing.accounts_late));
    metrics::gauge!("credits_unsettled").set(gauge(billing.credits_unsettled));
    metrics::gauge!("billing_runs_failed").set(gauge(billing.runs_failed));
    metrics::gauge!("usage_metering_lag_seconds").set(billing.metering_lag_seconds);
    metrics::gauge!("ledger_imbalance_micros").set(gauge(billing.imbalance_micros));
    let balances = db::billing::guard::watch(conn, BALANCE_LATE_SECONDS).await?;
    for (state, accounts) in balances.accounts {
        metrics::gauge!("balance_accounts", "state" => state.as_str()).set(gauge(accounts));
    }
    metrics::gauge!("balance_accounts_overdue").set(gauge(balances.overdue));
    let reconciled = db::billing::reconcile::watch(conn).await?;
    for (comparison, findings) in reconciled.findings {
        let comparison: &str = comparison.into();
        metrics::gauge!("reconciliation_findings", "comparison" => comparison).set(gauge(findings));
    }
    metrics::gauge!("reconciliation_age_seconds").set(reconciled.age_seconds);
    growth(conn).await?;
    for (table, until) in db::partition::ends(conn).await? {
        let days = (until - now).as_seconds_f64() / SECONDS_PER_DAY;
        metrics::gauge!("partition_premade_days", "table" => table.as_str()).set(days);
    }
    for (table, until) in db::archive::oldest_ends(conn).await? {
        let kept = db::policy::resolve(conn, table.settings().kept, Scope::Platform).await?;
        let late = table
            .kept(kept)
            .map_or(0.0, |kept| (now - until - kept).as_seconds_f64());
        metrics::gauge!("partition_archive_lag_seconds", "table" => table.as_str())
            .set(late.max(0.0));
    }
    for what in Forgotten::ALL.iter().copied() {
        let late = retention::lag_seconds(conn, what).await?;
        metrics::gauge!("retention_lag_seconds", "table" => what.as_str()).set(late);
    }
    let lag = db::audit_chain::lag(conn).await?;
    metrics::gauge!("audit_seal_lag_seconds").set(lag.seal_seconds);
    let every = db::policy::resolve(conn, &policy::AUDIT_CHECKPOINT, Scope::Platform).await?;
    let late = lag.checkpoint_seconds - Duration::seconds(every).as_seconds_f64();
    metrics::gauge!("audit_checkpoint_lag_seconds").set(late.max(0.0));
    let proof = db::maintenance::last_proof(conn).await?;
    metrics::gauge!("audit_chain_findings").set(gauge(proof.findings));
    metrics::gauge!("audit_chain_proof_age_seconds").set(proof.age_seconds);
    let age = db::maintenance::age_seconds(conn).await?;
    metrics::gauge!("partition_maintenance_age_seconds").set(age);
    Ok(())
}

/// How large the tables are that only grow, and what there is too much of.
async fn growth(conn: &mut PgConnection) -> db::Result<()> {
    for sample in db::data_growth::sample(conn).await? {
        let (table, size) = (sample.table.as_str(), sample.size);
        metrics::gauge!("data_growth_rows", "table" => table).set(gauge(size.rows));
        metrics::gauge!("data_growth_bytes", "table" => table).set(gauge(size.bytes));
        metrics::gauge!("data_growth_vacuum_lag_seconds", "table" => table)
            .set(gauge(size.vacuum_lag_seconds));
        metrics::gauge!("data_growth_freeze_age_transactions", "table" => table)
            .set(gauge(size.freeze_age));
        let triggers = db::data_growth::triggers(conn, sample.table).await?;
        metrics::gauge!("data_growth_rows_trigger", "table" => table)
            .set(gauge(triggers.of(Measure::Rows)));
        metrics::gauge!("data_growth_bytes_trigger", "table" => table)
            .set(gauge(triggers.of(Measure::Bytes)));
        for measure in Measure::ALL.iter().copied() {
            let crossed = size.has_crossed(measure, &triggers);
            let kind = if measure.is_growth() {
                "growth"
            } else {
                "vacuum"
            };
            metrics::gauge!("data_growth_crossed",
                "table" => table, "measure" => measure.as_str(), "kind" => kind)
            .set(f64::from(u8::from(crossed)));
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a gauge")]
fn gauge(count: i64) -> f64 {
    count as f64
}
