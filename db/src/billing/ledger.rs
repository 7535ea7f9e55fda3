//! The ledger: movements of money in double entry. Written, never changed.

use domain::id::{InvoiceLineId, LedgerEntryId, LedgerTransactionId, OrgId, UserId};
use domain::ledger::{Account, Kind};
use domain::money::Money;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::{Result, parse};
use crate::id;

/// One side of a movement.
#[derive(Debug, Clone)]
pub struct Entry {
    pub id: LedgerEntryId,
    pub transaction_id: LedgerTransactionId,
    pub kind: Kind,
    pub account: Account,
    pub money: Money,
    pub invoice_line_id: Option<InvoiceLineId>,
    pub corrects_entry_id: Option<LedgerEntryId>,
    pub reason: Option<String>,
    pub created_at: OffsetDateTime,
}

/// Money that moves between what an organization has and one of the other accounts.
#[derive(Debug, Clone, Copy)]
pub struct Movement<'a> {
    pub org_id: OrgId,
    pub kind: Kind,
    /// What it is for: the same moves once.
    pub key: &'a str,
    pub reason: Option<&'a str>,
    pub by: Option<UserId>,
    /// Where it comes from.
    pub from: Account,
    /// What the organization gets; negative: what it loses.
    pub money: Money,
    /// The entry that the organization's own takes back.
    pub corrects: Option<LedgerEntryId>,
}

/// Moves it.
pub async fn post(conn: &mut PgConnection, new: Movement<'_>) -> Result<LedgerTransactionId> {
    let transaction: LedgerTransactionId = id::fresh();
    sqlx::query!(
        "insert into ledger_transactions (id, org_id, kind, key, reason, created_by)
         values ($1, $2, $3, $4, $5, $6)",
        transaction.uuid(),
        new.org_id.uuid(),
        <&str>::from(new.kind),
        new.key,
        new.reason,
        new.by.map(UserId::uuid),
    )
    .execute(&mut *conn)
    .await?;
    let [to, from]: [LedgerEntryId; 2] = [id::fresh(), id::fresh()];
    sqlx::query!(
        "insert into ledger_entries (id, created_at, org_id, transaction_id, account, currency, amount_micros, corrects_entry_id)
         values ($1, $2, $5, $6, 'receivable', $8, $9, $10), ($3, $4, $5, $6, $7, $8, -$9::bigint, null)",
        to.uuid(),
        id::created_at(to.uuid()),
        from.uuid(),
        id::created_at(from.uuid()),
        new.org_id.uuid(),
        transaction.uuid(),
        <&str>::from(new.from),
        new.money.currency.code(),
        new.money.amount_micros,
        new.corrects.map(LedgerEntryId::uuid),
    )
    .execute(conn)
    .await?;
    Ok(transaction)
}

/// Entries that the transaction may see, the latest first, from before `after`.
pub async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    account: Option<Account>,
    after: Option<LedgerEntryId>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let rows = sqlx::query!(
        "select e.id, e.transaction_id, t.kind, e.account, e.currency, e.amount_micros,
                e.invoice_line_id, e.corrects_entry_id, t.reason, e.created_at
         from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
         where e.org_id = $1 and ($2::text is null or e.account = $2) and ($3::uuid is null or e.id < $3)
         order by e.id desc limit $4",
        org.uuid(),
        account.map(<&str>::from),
        after.map(LedgerEntryId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = LedgerEntryId::from(row.id);
            let currency = super::currency("ledger_entries", id, &row.currency)?;
            Ok(Entry {
                id,
                transaction_id: row.transaction_id.into(),
                kind: parse("ledger_transactions", "kind", row.transaction_id, &row.kind)?,
                account: parse("ledger_entries", "account", id, &row.account)?,
                money: Money {
                    amount_micros: row.amount_micros,
                    currency,
                },
                invoice_line_id: row.invoice_line_id.map(InvoiceLineId::from),
                corrects_entry_id: row.corrects_entry_id.map(LedgerEntryId::from),
                reason: row.reason,
                created_at: row.created_at,
            })
        })
        .collect()
}
