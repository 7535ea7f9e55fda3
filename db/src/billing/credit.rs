//! Credits: money that operators give to organizations, with who and why.

use domain::id::{CreditId, LedgerTransactionId, OrgId, UserId};
use domain::ledger::{Account, Kind};
use domain::money::Money;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::ledger::{self, Movement};
use crate::error::Result;

/// One credit.
#[derive(Debug, Clone)]
pub struct Credit {
    pub id: CreditId,
    pub org_id: OrgId,
    pub money: Money,
    pub reason: String,
    /// Use is paid from the lowest first, then from what expires first.
    pub priority: i32,
    pub expires_at: Option<OffsetDateTime>,
    pub transaction_id: LedgerTransactionId,
    pub created_by: UserId,
    pub created_at: OffsetDateTime,
}

/// Money that an organization is to be given.
#[derive(Debug, Clone, Copy)]
pub struct NewCredit<'a> {
    pub org_id: OrgId,
    pub money: Money,
    pub reason: &'a str,
    pub priority: i32,
    pub expires_at: Option<OffsetDateTime>,
    pub by: UserId,
}

/// Gives it; its id.
pub async fn insert(conn: &mut PgConnection, new: NewCredit<'_>) -> Result<CreditId> {
    let id: CreditId = crate::id::fresh();
    let movement = Movement {
        org_id: new.org_id,
        kind: Kind::Credit,
        key: &format!("credit/{id}"),
        reason: Some(new.reason),
        by: Some(new.by),
        from: Account::Credits,
        money: new.money,
        corrects: None,
    };
    let transaction = ledger::post(&mut *conn, movement).await?;
    sqlx::query!(
        "insert into credits (id, org_id, currency, amount_micros, reason, priority, expires_at, transaction_id, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id.uuid(),
        new.org_id.uuid(),
        new.money.currency.code(),
        new.money.amount_micros,
        new.reason,
        new.priority,
        new.expires_at,
        transaction.uuid(),
        new.by.uuid(),
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
        "select id, org_id, currency, amount_micros, reason, priority, expires_at, transaction_id, created_by, created_at
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
                priority: row.priority,
                expires_at: row.expires_at,
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
