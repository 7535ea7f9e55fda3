//! Credits: money that operators give to organizations, with who and why.

use domain::id::{CreditId, LedgerTransactionId, OrgId, UserId};
use domain::money::Money;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::ledger::{self, NewCredit};
use crate::error::Result;

/// One credit.
#[derive(Debug, Clone)]
pub struct Credit {
    pub id: CreditId,
    pub org_id: OrgId,
    pub money: Money,
    pub reason: String,
    pub transaction_id: LedgerTransactionId,
    pub created_by: UserId,
    pub created_at: OffsetDateTime,
}

/// Gives it; its id.
pub async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    money: Money,
    reason: &str,
    by: UserId,
) -> Result<CreditId> {
    let id: CreditId = crate::id::fresh();
    let new = NewCredit {
        org_id: org,
        money,
        key: &format!("credit/{id}"),
        reason,
        by,
    };
    let transaction = ledger::credit(&mut *conn, new).await?;
    sqlx::query!(
        "insert into credits (id, org_id, currency, amount_micros, reason, transaction_id, created_by)
         values ($1, $2, $3, $4, $5, $6, $7)",
        id.uuid(),
        org.uuid(),
        money.currency.code(),
        money.amount_micros,
        reason,
        transaction.uuid(),
        by.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(id)
}

/// Credits that the transaction may see, by id, behind `after`.
pub async fn list(
    conn: &mut PgConnection,
    id: Option<CreditId>,
    after: Option<CreditId>,
    limit: i64,
) -> Result<Vec<Credit>> {
    let rows = sqlx::query!(
        "select id, org_id, currency, amount_micros, reason, transaction_id, created_by, created_at
         from credits where ($1::uuid is null or id = $1) and ($2::uuid is null or id > $2)
         order by id limit $3",
        id.map(CreditId::uuid),
        after.map(CreditId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = CreditId::from(row.id);
            let currency = super::currency("credits", id, &row.currency)?;
            Ok(Credit {
                id,
                org_id: row.org_id.into(),
                money: Money {
                    amount_micros: row.amount_micros,
                    currency,
                },
                reason: row.reason,
                transaction_id: row.transaction_id.into(),
                created_by: row.created_by.into(),
                created_at: row.created_at,
            })
        })
        .collect()
}

pub async fn get(conn: &mut PgConnection, id: CreditId) -> Result<Option<Credit>> {
    Ok(list(conn, Some(id), None, 1).await?.pop())
}
