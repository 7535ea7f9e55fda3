//! What the guard of a prepaid balance does: it notes how the balance stands, and what is to end.

use domain::balance::BalanceState;
use domain::guard::Verdict;
use domain::id::{AllocationId, OrgId};
use domain::money::Currency;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::account::Standing;
use crate::error::{Result, one_row};
use crate::intent::{IntentKind, NewIntent};

/// Whoever waits for an account's row gives up after a moment and comes again: a billing run may hold
/// hundreds of them, and connections are few.
pub async fn be_brief(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("select set_config('lock_timeout', '2s', true)")
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// The account, held until the transaction ends.
pub async fn hold(conn: &mut PgConnection, org: OrgId) -> Result<Option<Standing>> {
    be_brief(&mut *conn).await?;
    sqlx::query!(
        "select from billing_accounts where org_id = $1 for update",
        org.uuid()
    )
    .fetch_optional(&mut *conn)
    .await?;
    super::account::get(conn, org).await
}

pub async fn note(conn: &mut PgConnection, org: OrgId, seen: Verdict) -> Result<()> {
    let done = sqlx::query!(
        "update billing_accounts set state = $2, solvent_at = $3, depleted_at = $4, zero_at = $5
         where org_id = $1 and terms = 'prepaid'",
        org.uuid(),
        seen.state.as_str(),
        seen.solvent_at,
        seen.depleted_at,
        seen.zero_at,
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Whether anything of an organization is running.
pub async fn anything_runs(conn: &mut PgConnection, org: OrgId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from usage_intervals where org_id = $1 and upper_inf(period)) as "runs!""#,
        org.uuid(),
    )
    .fetch_one(conn)
    .await?)
}

/// Whether anything of an organization goes on, or went on, after an instant: an allocation that
/// nobody has asked to end, or use that ends later.
pub async fn anything_after(
    conn: &mut PgConnection,
    org: OrgId,
    at: OffsetDateTime,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from allocations
                          where org_id = $1 and state not in ('released', 'failed', 'releasing', 'release_failed')
                            and release_requested_at is null)
               or exists (select from usage_intervals
                          where org_id = $1 and (upper_inf(period)
                            or upper(period) > greatest($2, lower(period) + interval '1 microsecond'))) as "any!""#,
        org.uuid(),
        at,
    )
    .fetch_one(conn)
    .await?)
}

/// An allocation of an organization that nobody has asked to end and nobody else is at.
pub async fn next_live(conn: &mut PgConnection, org: OrgId) -> Result<Option<AllocationId>> {
    let id = sqlx::query_scalar!(
        "select id from allocations
         where org_id = $1 and state not in ('released', 'failed', 'releasing', 'release_failed')
           and release_requested_at is null
         order by id limit 1 for update skip locked",
        org.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(AllocationId::from))
}

/// Ends use at an instant that went on after it, or at an end of its own that comes before. What
/// nobody has asked to end stays: it is to be released first.
pub async fn cut(conn: &mut PgConnection, org: OrgId, at: OffsetDateTime) -> Result<u64> {
    let done = sqlx::query!(
        "with late as materialized (
           select i.id, i.allocation_id from usage_intervals i join allocations a on a.id = i.allocation_id
           where i.org_id = $1
             and case when upper_inf(i.period)
                      then a.release_requested_at is not null or a.state in ('released', 'failed')
                      else upper(i.period) > greatest($2, lower(i.period) + interval '1 microsecond') end
           order by i.id for update of i
         )
         update usage_intervals i
         set period = tstzrange(lower(period), greatest(least($2, a.release_requested_at, a.lease_ends_at),
                                                        lower(period) + interval '1 microsecond'))
         from late join allocations a on a.id = late.allocation_id where i.id = late.id",
        org.uuid(),
        at,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Prepaid accounts in a currency with something of an SKU running: whom a new price of it moves.
pub async fn burning(conn: &mut PgConnection, sku: &str, currency: Currency) -> Result<Vec<OrgId>> {
    let ids = sqlx::query_scalar!(
        "select org_id from billing_accounts b
         where terms = 'prepaid' and currency = $2
           and exists (select from usage_intervals i
                       where i.org_id = b.org_id and i.sku = $1 and upper_inf(i.period))
         order by org_id",
        sku,
        currency.code(),
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(OrgId::from).collect())
}

/// Owes the guard of an organization's balance a look at it, if there is one: something changed.
/// `name` is its workflow's type and id.
pub async fn wake(conn: &mut PgConnection, org: OrgId, name: (&str, &str)) -> Result<()> {
    let prepaid = sqlx::query_scalar!(
        r#"select exists (select from billing_accounts where org_id = $1 and terms = 'prepaid') as "prepaid!""#,
        org.uuid(),
    )
    .fetch_one(&mut *conn)
    .await?;
    if prepaid {
        crate::intent::append(conn, &look(org, name.0, name.1)).await?;
    }
    Ok(())
}

/// The same for many that are known to have one, by one statement; `ids` are their workflows'.
pub async fn wake_all(
    conn: &mut PgConnection,
    orgs: &[OrgId],
    workflow_type: &str,
    ids: &[String],
) -> Result<()> {
    let wishes = orgs.iter().zip(ids);
    let wishes: Vec<_> = wishes
        .map(|(org, id)| look(*org, workflow_type, id))
        .collect();
    crate::intent::append_all(conn, &wishes).await
}

fn look<'a>(org: OrgId, workflow_type: &'a str, workflow_id: &'a str) -> NewIntent<'a> {
    NewIntent {
        kind: IntentKind::Wake,
        org_id: Some(org),
        workflow_type,
        workflow_id,
        resource_id: org.uuid(),
        operation_id: None,
    }
}

/// How guards are doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Prepaid accounts by state.
    pub accounts: Vec<(BalanceState, i64)>,
    /// Accounts whose balance has ended for longer than `late_seconds` while something still runs.
    pub overdue: i64,
}

pub async fn watch(conn: &mut PgConnection, late_seconds: i32) -> Result<Watch> {
    let row = sqlx::query!(
        r#"select count(*) filter (where state = 'healthy') as "healthy!",
                  count(*) filter (where state = 'low') as "low!",
                  count(*) filter (where state = 'auto_release_pending') as "pending!",
                  count(*) filter (where state = 'depleted') as "depleted!",
                  count(*) filter (where coalesce(depleted_at, zero_at) < clock_timestamp() - make_interval(secs => $1)
                    and exists (select from usage_intervals i where i.org_id = b.org_id and upper_inf(i.period))) as "overdue!"
           from billing_accounts b where terms = 'prepaid'"#,
        f64::from(late_seconds),
    )
    .fetch_one(conn)
    .await?;
    let accounts = vec![
        (BalanceState::Healthy, row.healthy),
        (BalanceState::Low, row.low),
        (BalanceState::AutoReleasePending, row.pending),
        (BalanceState::Depleted, row.depleted),
    ];
    Ok(Watch {
        accounts,
        overdue: row.overdue,
    })
}
