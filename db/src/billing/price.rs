//! Prices: what one GPU of an SKU costs for an hour, by currency and time.

use std::ops::Bound;

use domain::id::{PriceId, UserId};
use domain::money::Currency;
use sqlx::PgConnection;
use sqlx::postgres::types::PgRange;
use time::OffsetDateTime;

use crate::error::Result;

/// One price.
#[derive(Debug, Clone)]
pub struct Price {
    pub id: PriceId,
    pub sku: String,
    pub region: String,
    pub currency: Currency,
    pub amount_micros_per_hour: i64,
    pub effective_from: OffsetDateTime,
    /// `None`: until another takes over.
    pub effective_to: Option<OffsetDateTime>,
    pub reason: String,
    pub created_by: Option<UserId>,
    pub version: i64,
    pub created_at: OffsetDateTime,
}

/// What is to be paid from an instant on.
#[derive(Debug, Clone, Copy)]
pub struct NewPrice<'a> {
    pub sku: &'a str,
    pub currency: Currency,
    pub amount_micros_per_hour: i64,
    pub effective_from: OffsetDateTime,
    /// `None`: until another takes over.
    pub effective_to: Option<OffsetDateTime>,
    pub reason: &'a str,
    pub created_by: Option<UserId>,
}

/// Which prices are asked for; all conditions hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    pub id: Option<PriceId>,
    pub sku: Option<&'a str>,
    pub currency: Option<Currency>,
    /// Only those that hold at this instant.
    pub at: Option<OffsetDateTime>,
}

/// Prices by id, behind `after`.
pub async fn list(
    conn: &mut PgConnection,
    filter: Filter<'_>,
    after: Option<PriceId>,
    limit: i64,
) -> Result<Vec<Price>> {
    let rows = sqlx::query!(
        r#"select p.id, p.sku, s.region, p.currency, p.amount_micros_per_hour,
                  lower(p.effective) as "effective_from!", upper(p.effective) as effective_to,
                  p.reason, p.created_by, p.version, p.created_at
           from prices p join skus s on s.name = p.sku
           where ($1::uuid is null or p.id = $1) and ($2::text is null or p.sku = $2)
             and ($3::text is null or p.currency = $3)
             and ($4::timestamptz is null or p.effective @> $4)
             and ($5::uuid is null or p.id > $5)
           order by p.id limit $6"#,
        filter.id.map(PriceId::uuid),
        filter.sku,
        filter.currency.map(Currency::code),
        filter.at,
        after.map(PriceId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = PriceId::from(row.id);
            Ok(Price {
                id,
                currency: super::currency("prices", id, &row.currency)?,
                sku: row.sku,
                region: row.region,
                amount_micros_per_hour: row.amount_micros_per_hour,
                effective_from: row.effective_from,
                effective_to: row.effective_to,
                reason: row.reason,
                created_by: row.created_by.map(UserId::from),
                version: row.version,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// One price.
pub async fn get(conn: &mut PgConnection, id: PriceId) -> Result<Option<Price>> {
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    Ok(list(conn, filter, None, 1).await?.pop())
}

/// Lets those who set prices of an SKU in a currency queue behind each other until commit.
pub async fn lock(conn: &mut PgConnection, sku: &str, currency: Currency) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('price:' || $1::text || ':' || $2::text, 0))",
        sku,
        currency.code(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A price and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub id: PriceId,
    pub from: OffsetDateTime,
    /// `None`: no end is known.
    pub to: Option<OffsetDateTime>,
}

/// The price of an SKU in a currency that holds at an instant, or else the next one after it.
pub async fn at_or_after(
    conn: &mut PgConnection,
    sku: &str,
    currency: Currency,
    at: OffsetDateTime,
) -> Result<Option<Span>> {
    let row = sqlx::query!(
        r#"select id, lower(effective) as "from!", upper(effective) as "to" from prices
           where sku = $1 and currency = $2 and (upper_inf(effective) or upper(effective) > $3)
           order by lower(effective) limit 1"#,
        sku,
        currency.code(),
        at,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Span {
        id: row.id.into(),
        from: row.from,
        to: row.to,
    }))
}

/// Ends a price at an instant within its time.
pub async fn end(conn: &mut PgConnection, id: PriceId, at: OffsetDateTime) -> Result<()> {
    let done = sqlx::query!(
        "update prices set effective = tstzrange(lower(effective), $2)
         where id = $1 and effective @> $2::timestamptz",
        id.uuid(),
        at,
    )
    .execute(conn)
    .await?;
    crate::error::one_row(&done)
}

/// Takes a price away that does not hold yet; the one before it goes on in its place. `false`: it
/// holds, held, or never was.
pub async fn withdraw(conn: &mut PgConnection, id: PriceId) -> Result<bool> {
    let gone = sqlx::query!(
        r#"delete from prices where id = $1 and lower(effective) > clock_timestamp()
           returning sku, currency, lower(effective) as "from!", upper(effective) as "to""#,
        id.uuid(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(gone) = gone else { return Ok(false) };
    sqlx::query!(
        "update prices set effective = tstzrange(lower(effective), $4)
         where sku = $1 and currency = $2 and upper(effective) = $3",
        gone.sku,
        gone.currency,
        gone.from,
        gone.to,
    )
    .execute(conn)
    .await?;
    Ok(true)
}

/// Writes a price; its id.
pub async fn insert(conn: &mut PgConnection, new: NewPrice<'_>) -> Result<PriceId> {
    let id: PriceId = crate::id::fresh();
    let end = new.effective_to.map_or(Bound::Unbounded, Bound::Excluded);
    let effective = PgRange::from((Bound::Included(new.effective_from), end));
    sqlx::query!(
        "insert into prices (id, sku, currency, amount_micros_per_hour, effective, reason, created_by)
         values ($1, $2, $3, $4, $5, $6, $7)",
        id.uuid(),
        new.sku,
        new.currency.code(),
        new.amount_micros_per_hour,
        effective,
        new.reason,
        new.created_by.map(UserId::uuid),
    )
    .execute(conn)
    .await?;
    Ok(id)
}
