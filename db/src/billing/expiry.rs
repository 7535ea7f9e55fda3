//! Credits whose time is over: what is left of each is taken back.

use domain::id::{CreditId, LedgerEntryId, LedgerTransactionId, OrgId};
use domain::ledger::{Account, Kind, lapses};
use domain::money::{Currency, Money};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::ledger::{self, Movement};
use crate::error::Result;

/// Organizations with credits that have expired and were not looked at.
pub async fn due(conn: &mut PgConnection, limit: i64) -> Result<Vec<OrgId>> {
    let ids = sqlx::query_scalar!(
        "select distinct org_id from credits c
         where expires_at <= clock_timestamp()
           and not exists (select from credit_expiries e where e.credit_id = c.id)
         order by org_id limit $1",
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(OrgId::from).collect())
}

/// When the next credit of an organization expires.
pub async fn next(conn: &mut PgConnection, org: OrgId) -> Result<Option<OffsetDateTime>> {
    Ok(sqlx::query_scalar!(
        "select min(expires_at) from credits where org_id = $1 and expires_at > clock_timestamp()",
        org.uuid(),
    )
    .fetch_one(conn)
    .await?)
}

/// Takes back what was left of each expired credit of an organization at its instant, the earliest
/// first; how many there were. The account is held.
pub async fn settle(conn: &mut PgConnection, org: OrgId, currency: Currency) -> Result<usize> {
    let expired = sqlx::query!(
        r#"select c.id, c.amount_micros, c.expires_at as "expires_at!",
                  (select e.id from ledger_entries e
                   where e.transaction_id = c.transaction_id and e.account = 'receivable') as "entry_id!"
           from credits c
           where c.org_id = $1 and c.expires_at <= clock_timestamp()
             and not exists (select from credit_expiries e where e.credit_id = c.id)
           order by c.expires_at, c.id"#,
        org.uuid(),
    )
    .fetch_all(&mut *conn)
    .await?;
    for credit in &expired {
        let (id, at) = (CreditId::from(credit.id), credit.expires_at);
        let balance = super::balance::get(&mut *conn, org, currency, Some(at)).await?;
        let used = balance.spending.until(at).unwrap_or(i64::MAX);
        let had = balance.ledger.amount_micros - came_since(&mut *conn, org, at).await?;
        let kept = kept_by_others(&mut *conn, org, id, at).await?;
        let lapsed = lapses(credit.amount_micros, had.saturating_sub(used), kept);
        let transaction = if lapsed == 0 {
            None
        } else {
            let movement = Movement {
                org_id: org,
                kind: Kind::Expiry,
                key: &format!("expiry/{id}"),
                reason: None,
                by: None,
                from: Account::Credits,
                money: Money {
                    amount_micros: -lapsed,
                    currency,
                },
                corrects: Some(LedgerEntryId::from(credit.entry_id)),
            };
            Some(ledger::post(&mut *conn, movement).await?)
        };
        sqlx::query!(
            "insert into credit_expiries (credit_id, org_id, amount_micros, transaction_id)
             values ($1, $2, $3, $4)",
            id.uuid(),
            org.uuid(),
            lapsed,
            transaction.map(LedgerTransactionId::uuid),
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(expired.len())
}

/// What the ledger got since an instant that is not for use.
async fn came_since(conn: &mut PgConnection, org: OrgId, at: OffsetDateTime) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select coalesce(sum(e.amount_micros), 0)::bigint as "sum!"
           from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
           where e.org_id = $1 and e.account = 'receivable' and e.id >= $2 and e.created_at >= $3
             and t.kind in ('credit', 'payment', 'refund')"#,
        org.uuid(),
        crate::id::first_at(at),
        at,
    )
    .fetch_one(conn)
    .await?)
}

/// What use is paid from after this credit: payments, and credits behind it that held at the instant.
async fn kept_by_others(
    conn: &mut PgConnection,
    org: OrgId,
    credit: CreditId,
    at: OffsetDateTime,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select (coalesce((select sum(o.amount_micros) from credits o, credits c
                    where c.id = $2 and o.org_id = $1 and o.id <> c.id and o.created_at < $3
                      and coalesce(o.expires_at, 'infinity') >= $3
                      and not exists (select from credit_expiries e where e.credit_id = o.id)
                      and (o.priority, coalesce(o.expires_at, 'infinity'), o.id)
                          > (c.priority, coalesce(c.expires_at, 'infinity'), c.id)), 0)
                 + coalesce((select sum(case kind when 'payment' then amount_micros else -amount_micros end)
                             from payments where org_id = $1 and created_at < $3), 0))::bigint as "kept!""#,
        org.uuid(),
        credit.uuid(),
        at,
    )
    .fetch_one(conn)
    .await?)
}
