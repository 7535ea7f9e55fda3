//! The accounts of one step of a run: taken together, billed together.

use domain::billing::Period;
use domain::id::{BillingRunId, OrgId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Account;
use crate::error::Result;

/// How an account stands with a period.
#[derive(Debug, Clone)]
pub struct Standing {
    pub account: Account,
    /// The revision to bill; `None`: all that was used is billed.
    pub due: Option<i32>,
    /// Part of the period was billed with another one.
    pub overlaps: bool,
}

/// The next accounts, by organization, behind `after`. They are locked until commit, so that two
/// runs bill none of them at once.
pub async fn lock(
    conn: &mut PgConnection,
    after: Option<OrgId>,
    only: Option<OrgId>,
    limit: i64,
) -> Result<Vec<Account>> {
    let rows = sqlx::query!(
        "select org_id, currency from billing_accounts
         where ($1::uuid is null or org_id > $1) and ($2::uuid is null or org_id = $2)
         order by org_id limit $3 for update",
        after.map(OrgId::uuid),
        only.map(OrgId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let org_id = OrgId::from(row.org_id);
            Ok(Account {
                org_id,
                currency: super::currency("billing_accounts", org_id, &row.currency)?,
            })
        })
        .collect()
}

/// The same accounts by organization alone, not locked.
pub async fn ids(
    conn: &mut PgConnection,
    after: Option<OrgId>,
    only: Option<OrgId>,
    limit: i64,
) -> Result<Vec<OrgId>> {
    let orgs = sqlx::query_scalar!(
        "select org_id from billing_accounts
         where ($1::uuid is null or org_id > $1) and ($2::uuid is null or org_id = $2)
         order by org_id limit $3",
        after.map(OrgId::uuid),
        only.map(OrgId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(orgs.into_iter().map(OrgId::from).collect())
}

/// How each of these stands, with what is known up to an epoch. Asked after they were locked, so
/// that it sees what a twin has just billed.
pub async fn standings(
    conn: &mut PgConnection,
    accounts: &[Account],
    period: Period,
    epoch: i64,
) -> Result<Vec<Standing>> {
    let orgs: Vec<_> = accounts.iter().map(|one| one.org_id.uuid()).collect();
    let rows = sqlx::query!(
        r#"select o.position as "position!",
                  case when c.revision is null then 0
                       when exists (select from usage_records r
                                    where r.org_id = o.org_id and r.epoch > c.epoch and r.epoch <= $4
                                      and r.started_at > $2::timestamptz - interval '24 hours'
                                      and r.started_at < $3 and r.ended_at > $2)
                       then c.revision + 1 end as due,
                  exists (select from billing_claims x
                          where x.org_id = o.org_id and x.revision = 0
                            and x.period && tstzrange($2, $3) and x.period <> tstzrange($2, $3)) as "overlaps!"
           from unnest($1::uuid[]) with ordinality as o (org_id, position)
           left join lateral (select revision, epoch from billing_claims
                              where org_id = o.org_id and period = tstzrange($2, $3)
                              order by revision desc limit 1) as c on true
           order by o.position"#,
        &orgs,
        period.start,
        period.end,
        epoch,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .zip(accounts)
        .map(|(row, account)| Standing {
            account: *account,
            due: row.due,
            overlaps: row.overlaps,
        })
        .collect())
}

/// Leaves an account for people; said again by each run that cannot bill it.
pub async fn park(
    conn: &mut PgConnection,
    run: BillingRunId,
    org: OrgId,
    period: Period,
    reason: &str,
    detail: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into billing_parked (org_id, period, run_id, reason, detail)
         values ($1, tstzrange($2, $3), $4, $5, $6)
         on conflict on constraint billing_parked_pkey do update
         set run_id = excluded.run_id, reason = excluded.reason, detail = excluded.detail,
             created_at = clock_timestamp()",
        org.uuid(),
        period.start,
        period.end,
        run.uuid(),
        reason,
        detail,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes accounts out again whose time is billed whole, in one period or in several, and notes that
/// nothing of this period is late.
pub async fn unpark(conn: &mut PgConnection, orgs: &[OrgId], period: Period) -> Result<()> {
    let orgs: Vec<_> = orgs.iter().map(|org| org.uuid()).collect();
    sqlx::query!(
        "delete from billing_parked p where p.org_id = any($1)
           and p.period <@ (select range_agg(c.period) from billing_claims c where c.org_id = p.org_id)",
        &orgs,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "delete from billing_late where org_id = any($1) and period = tstzrange($2, $3)",
        &orgs,
        period.start,
        period.end,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The next period that was billed before all of its use was known, and whose: by start and
/// organization, behind these (`None`: behind all that begin then).
pub async fn late(
    conn: &mut PgConnection,
    start: OffsetDateTime,
    org: Option<OrgId>,
) -> Result<Option<(OrgId, Period)>> {
    let row = sqlx::query!(
        r#"select org_id, lower(period) as "start!", upper(period) as "end!" from billing_late
           where lower(period) > $1 or (lower(period) = $1 and org_id > $2)
           order by lower(period), org_id limit 1"#,
        start,
        org.map(OrgId::uuid),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| {
        let (start, end) = (row.start, row.end);
        (row.org_id.into(), Period { start, end })
    }))
}
