//! One look at a prepaid balance.

use contract::balance::Seen;
use db::billing::account::Standing;
use db::billing::balance::Balance;
use db::billing::expiry::Ahead;
use db::billing::guard::{self, Seen as Note};
use db::{PgConnection, PgPool};
use domain::balance::{BalanceState, Terms, Warnings};
use domain::event::BalanceStateChanged;
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
    pub(super) note: Note,
    /// When the next credit does.
    expires_at: Option<OffsetDateTime>,
    warnings: Warnings,
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
    let note = judge(&account, &balance, ahead, warnings);
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
        expires_at: ahead.map(|ahead| ahead.at),
        warnings,
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
        let known = pause(balance, *note, assessed.warnings, assessed.expires_at);
        Some(millis(known.map_or(longest, |pause| pause.min(longest))))
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

/// How the balance stands. Zero that has passed is where the money ended, whenever it is seen, but not
/// before the last instant at which some was left: what came to light since is nobody's unpaid use. It
/// moves ahead with money that came since, and never back. Where nothing costs anything, nothing ends.
fn judge(account: &Standing, balance: &Balance, ahead: Option<Ahead>, warnings: Warnings) -> Note {
    let (now, ledger) = (balance.now, balance.ledger.amount_micros);
    let reached = balance.spending.reaches(ledger);
    let idle = account.depleted_at.is_none() && balance.spending.is_nothing(now);
    if balance.available_micros() > 0 || idle {
        let zero_at = forecast(balance, ahead).filter(|_| !idle);
        let runway = zero_at.map(|zero| (zero - now).max(Duration::microseconds(1)));
        return Note {
            state: BalanceState::of(runway, warnings),
            solvent_at: Some(now),
            depleted_at: None,
            zero_at,
        };
    }
    let reached = reached.map(|zero| zero.min(now));
    let zero = reached.max(account.depleted_at).unwrap_or(now);
    let zero = account.solvent_at.map_or(zero, |since| zero.max(since));
    Note {
        state: BalanceState::Depleted,
        solvent_at: account.solvent_at,
        depleted_at: Some(zero),
        zero_at: Some(zero),
    }
}

/// When it ends, if nothing but what is known changes: the next credit that expires takes what will be
/// left of it.
fn forecast(balance: &Balance, ahead: Option<Ahead>) -> Option<OffsetDateTime> {
    let ledger = balance.ledger.amount_micros;
    let reached = balance.spending.reaches(ledger);
    let after = ahead.and_then(|ahead| {
        let zero = balance.spending.reaches(ledger - ahead.lapses_micros);
        zero.map(|zero| zero.max(ahead.at))
    });
    reached.into_iter().chain(after).min()
}

/// Takes back what is left of credits that have expired. An account for which that fails is judged all
/// the same: its credits count as money that it has.
async fn expire(conn: &mut PgConnection, org: OrgId, currency: Currency) -> Result<(), Refusal> {
    let mut part = conn.begin().await?;
    match db::billing::expiry::settle(&mut part, org, currency).await {
        Ok(lapsed) => {
            for credit in lapsed {
                audit::credit_expired(&mut part, org, credit).await?;
            }
            part.commit().await?;
        }
        Err(error) => {
            part.rollback().await?;
            let error = &error as &dyn std::error::Error;
            tracing::error!(%org, error, "credits that have expired are not settled");
        }
    }
    Ok(())
}

/// How long nothing happens, as far as is known.
fn pause(
    balance: &Balance,
    note: Note,
    warnings: Warnings,
    expiry: Option<OffsetDateTime>,
) -> Option<Duration> {
    let now = balance.now;
    let ends = note.zero_at.map(|zero| zero - now);
    let ends = ends.filter(|left| left.is_positive());
    let state = ends.map(|left| warnings.until_next(left));
    let rate = balance.spending.next_change(now).map(|at| at - now);
    let expiry = expiry.map(|at| at - now);
    state.into_iter().chain(rate).chain(expiry).min()
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
