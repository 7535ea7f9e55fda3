//! What the payment provider told of: each of it is booked once.

use domain::id::{LedgerTransactionId, OrgId, PaymentId};
use domain::ledger::{Account, Kind};
use domain::money::Money;
use sqlx::PgConnection;

use super::ledger::{self, Movement};
use crate::error::{Result, parse};

/// Money that came in, or went back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub id: PaymentId,
    pub org_id: OrgId,
    /// [`Kind::Payment`] or [`Kind::Refund`].
    pub kind: Kind,
    /// The provider's own name for it.
    pub reference: String,
    pub money: Money,
}

/// What the provider named so, held off from everybody else until the transaction ends.
pub async fn find(conn: &mut PgConnection, kind: Kind, reference: &str) -> Result<Option<Payment>> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('payment:' || $1::text || ':' || $2::text, 0))",
        <&str>::from(kind),
        reference,
    )
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query!(
        "select id, org_id, kind, reference, currency, amount_micros from payments
         where kind = $1 and reference = $2",
        <&str>::from(kind),
        reference,
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Payment {
            id: row.id.into(),
            org_id: row.org_id.into(),
            kind: parse("payments", "kind", row.id, &row.kind)?,
            reference: row.reference,
            money: Money {
                amount_micros: row.amount_micros,
                currency: super::currency("payments", row.id, &row.currency)?,
            },
        })
    })
    .transpose()
}

/// How much of a payment went back so far, in micros.
pub async fn refunded(conn: &mut PgConnection, payment: PaymentId) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select coalesce(sum(amount_micros), 0)::bigint as "sum!" from payments where of_payment_id = $1"#,
        payment.uuid(),
    )
    .fetch_one(conn)
    .await?)
}

/// Books it; a refund names its payment.
pub async fn insert(
    conn: &mut PgConnection,
    payment: &Payment,
    of: Option<PaymentId>,
) -> Result<()> {
    let kind: &str = payment.kind.into();
    let money = match payment.kind {
        Kind::Refund => Money {
            amount_micros: -payment.money.amount_micros,
            ..payment.money
        },
        _ => payment.money,
    };
    let movement = Movement {
        org_id: payment.org_id,
        kind: payment.kind,
        key: &format!("{kind}/{}", payment.id),
        reason: Some(&payment.reference),
        by: None,
        from: Account::Payments,
        money,
        corrects: None,
    };
    let transaction: LedgerTransactionId = ledger::post(&mut *conn, movement).await?;
    sqlx::query!(
        "insert into payments (id, org_id, kind, reference, of_payment_id, currency, amount_micros, transaction_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        payment.id.uuid(),
        payment.org_id.uuid(),
        kind,
        payment.reference,
        of.map(PaymentId::uuid),
        payment.money.currency.code(),
        payment.money.amount_micros,
        transaction.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
