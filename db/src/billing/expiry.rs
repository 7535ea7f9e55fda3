//! Credits whose time is over: what is left of each is taken back.

use domain::guard::Ahead;
use domain::id::{CreditId, LedgerEntryId, LedgerTransactionId, OrgId};
use domain::ledger::{Account, Fund, Kind, cuts, left_of};
use domain::money::{Currency, Money};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

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

/// The next credit of an organization that expires.
pub async fn ahead(
    conn: &mut PgConnection,
    org: OrgId,
    currency: Currency,
) -> Result<Option<Ahead>> {
    let next = sqlx::query!(
        r#"select id, expires_at as "at!" from credits
           where org_id = $1 and expires_at > clock_timestamp() order by expires_at, id limit 1"#,
        org.uuid(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(next) = next else { return Ok(None) };
    let purse = Purse::of(&mut *conn, org, currency).await?;
    Ok(Some(Ahead {
        at: next.at,
        lapses_micros: purse.left(conn, next.id, next.at).await?,
    }))
}

/// Takes back what was left of each expired credit of an organization at its instant, the earliest
/// first; which they were. The account is held.
pub async fn settle(
    conn: &mut PgConnection,
    org: OrgId,
    currency: Currency,
) -> Result<Vec<CreditId>> {
    let expired = sqlx::query!(
        r#"select c.id, c.expires_at as "expires_at!",
                  (select e.id from ledger_entries e
                   where e.transaction_id = c.transaction_id and e.account = 'receivable') as entry_id
           from credits c
           where c.org_id = $1 and c.expires_at <= clock_timestamp()
             and not exists (select from credit_expiries e where e.credit_id = c.id)
           order by c.expires_at, c.id"#,
        org.uuid(),
    )
    .fetch_all(&mut *conn)
    .await?;
    if expired.is_empty() {
        return Ok(Vec::new());
    }
    let purse = Purse::of(&mut *conn, org, currency).await?;
    for credit in &expired {
        let id = CreditId::from(credit.id);
        let lapsed = purse.left(&mut *conn, credit.id, credit.expires_at).await?;
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
                corrects: credit.entry_id.map(LedgerEntryId::from),
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
    Ok(expired.into_iter().map(|credit| credit.id.into()).collect())
}

/// All money that an organization ever got; payments are used last.
struct Purse {
    org: OrgId,
    currency: Currency,
    /// Of the funds, in their order.
    ids: Vec<Uuid>,
    funds: Vec<Fund>,
}

impl Purse {
    async fn of(conn: &mut PgConnection, org: OrgId, currency: Currency) -> Result<Self> {
        let rows = sqlx::query!(
        r#"select id as "id!", created_at as "at!", priority as "priority!", expires_at, amount_micros as "micros!"
           from credits where org_id = $1
           union all
           select p.id, p.created_at, $2, null,
                  p.amount_micros - (select coalesce(sum(r.amount_micros), 0) from payments r where r.of_payment_id = p.id)::bigint
           from payments p where p.org_id = $1 and p.kind = 'payment'"#,
        org.uuid(),
        i32::MAX,
    )
    .fetch_all(conn)
    .await?;
        let funds = rows.iter().map(|row| Fund {
            at: row.at,
            priority: row.priority,
            expires_at: row.expires_at,
            micros: row.micros,
        });
        Ok(Self {
            org,
            currency,
            ids: rows.iter().map(|row| row.id).collect(),
            funds: funds.collect(),
        })
    }

    /// What is left of one of them at an instant, in micros.
    async fn left(&self, conn: &mut PgConnection, id: Uuid, at: OffsetDateTime) -> Result<i64> {
        let Some(which) = self.ids.iter().position(|known| *known == id) else {
            return Ok(0);
        };
        let cuts = cuts(&self.funds, at);
        let used = used(conn, self.org, self.currency, &cuts).await?;
        Ok(left_of(&self.funds, which, &used))
    }
}

/// How much an organization used up to each of these instants, in micros, whether billed or not.
async fn used(
    conn: &mut PgConnection,
    org: OrgId,
    currency: Currency,
    cuts: &[OffsetDateTime],
) -> Result<Vec<(OffsetDateTime, i64)>> {
    let rows = sqlx::query!(
        r#"select c.at as "at!",
                  half_even(coalesce((
                    select sum(i.quantity::numeric * p.amount_micros_per_hour * microseconds(upper(part) - lower(part)))
                    from chargeable_use i
                    join prices p on p.sku = i.sku and p.currency = $2 and p.effective && i.period
                    cross join lateral (select i.period * p.effective * tstzrange(null, c.at)) as cut (part)
                    where i.org_id = $1 and lower(i.period) < c.at and not isempty(part)), 0), 3600000000)::bigint as "used!"
           from unnest($3::timestamptz[]) as c (at) order by c.at"#,
        org.uuid(),
        currency.code(),
        cuts,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.at, row.used)).collect())
}
