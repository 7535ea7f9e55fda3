//! One look at a prepaid balance.

use contract::balance::Seen;
use db::billing::account::Standing;
use db::billing::balance::Balance;
use db::billing::guard;
use db::{PgConnection, PgPool};
use domain::balance::{Terms, Warnings};
use domain::event::BalanceStateChanged;
use domain::guard::{Known, Sight, Verdict};
use domain::id::OrgId;
use domain::money::{Currency, Money};
use domain::policy::{self, Policy, Scope};
use sqlx::Connection as _;
use time::{Duration, OffsetDateTime};

use crate::audit;
use crate::refusal::Refusal;

/// A prepaid account, held, with what it has at this instant.
pub(super) struct Assessed {
    pub(super) account: Standing,
    pub(super) balance: Balance,
    pub(super) note: Verdict,
    /// How long nothing happens, as far as is known.
    pause: Option<Duration>,
}

/// Adds it up anew and notes how it stands. `None`: nobody pays beforehand.
pub(super) async fn assess(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<Option<Assessed>, Refusal> {
    let held = guard::hold(&mut *conn, org).await?;
    let Some(account) = held.filter(|account| account.terms == Terms::Prepaid) else {
        return Ok(None);
    };
    let (currency, since) = (account.currency, account.solvent_at);
    expire(&mut *conn, org, currency).await?;
    let balance = db::billing::balance::get(&mut *conn, org, currency, since).await?;
    let warnings = Warnings {
        low: seconds(&mut *conn, &policy::BALANCE_LOW, org).await?,
        last: seconds(&mut *conn, &policy::BALANCE_LAST, org).await?,
    };
    let ahead = db::billing::expiry::ahead(&mut *conn, org, currency).await?;
    let sight = Sight {
        now: balance.now,
        ledger_micros: balance.ledger.amount_micros,
        available_micros: balance.available_micros(),
        spending: &balance.spending,
        ahead,
    };
    let known = Known {
        solvent_at: account.solvent_at,
        depleted_at: account.depleted_at,
    };
    let note = sight.judge(known, warnings);
    let pause = sight.pause(note, warnings);
    guard::note(&mut *conn, org, note).await?;
    if note.state != account.state {
        let event = BalanceStateChanged {
            organization_id: org,
            from: account.state,
            to: note.state,
        };
        db::outbox::append(&mut *conn, Some(org), &event.into()).await?;
        audit::balance(&mut *conn, org, note.state).await?;
    }
    Ok(Some(Assessed {
        account,
        balance,
        note,
        pause,
    }))
}

pub(super) async fn look(pool: &PgPool, org: OrgId) -> Result<Option<Seen>, Refusal> {
    let mut tx = pool.begin().await?;
    let Some(assessed) = assess(&mut tx, org).await? else {
        return Ok(None);
    };
    let Assessed { balance, note, .. } = &assessed;
    let release = match note.depleted_at {
        Some(at) => guard::anything_after(&mut tx, org, at).await?,
        None => false,
    };
    let next = if guard::anything_runs(&mut tx, org).await? {
        let longest = seconds(&mut tx, &policy::BALANCE_LOOK, org).await?;
        let pause = assessed.pause.map_or(longest, |pause| pause.min(longest));
        Some(millis(pause))
    } else {
        None
    };
    tx.commit().await?;
    if note.state != assessed.account.state {
        let to = note.state.as_str();
        metrics::counter!("balance_state_changes_total", "to" => to).increment(1);
    }
    Ok(Some(Seen {
        state: note.state,
        available: Money {
            amount_micros: balance.available_micros(),
            currency: assessed.account.currency,
        },
        burn_micros_per_hour: balance.burn_micros_per_hour(),
        zero_at_seconds: note.zero_at.map(OffsetDateTime::unix_timestamp),
        release,
        next_millis: next,
    }))
}

/// Takes back what is left of credits that have expired. An account for which that fails is judged all
/// the same: its credits count as money that it has.
async fn expire(conn: &mut PgConnection, org: OrgId, currency: Currency) -> Result<(), Refusal> {
    let mut part = conn.begin().await?;
    match super::settle_credits(&mut part, org, currency).await {
        Ok(_) => part.commit().await?,
        Err(why) => {
            part.rollback().await?;
            tracing::error!(%org, ?why, "credits that have expired are not settled");
        }
    }
    Ok(())
}

/// Rounded up, so that what is waited for has happened.
fn millis(pause: Duration) -> u64 {
    let micros = u64::try_from(pause.whole_microseconds()).unwrap_or(0);
    micros.div_ceil(1_000).max(1)
}

async fn seconds(
    conn: &mut PgConnection,
    policy: &'static Policy,
    org: OrgId,
) -> Result<Duration, Refusal> {
    let seconds = db::policy::resolve(conn, policy, Scope::Organization(org)).await?;
    Ok(Duration::seconds(seconds))
}
