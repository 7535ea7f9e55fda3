//! What an organization has for something that it asks for.

use domain::balance::Terms;
use domain::funds::Funds;
use domain::id::{AllocationId, OrgId};
use domain::money;
use sqlx::PgConnection;

use super::price::Filter;
use super::{account, balance, price};
use crate::error::Result;

/// GPUs that an organization asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub org_id: OrgId,
    pub sku: &'a str,
    pub gpu_count: i32,
    /// For how long what is had must cover them.
    pub hold_seconds: i64,
    /// The allocation that they are for, if there is one already.
    pub allocation_id: Option<AllocationId>,
}

/// What speaks for and against them, at the prices of this moment.
pub async fn get(conn: &mut PgConnection, wish: Wish<'_>) -> Result<Funds> {
    let org = wish.org_id;
    let currency = account::currency_of(conn, org).await?;
    let filter = Filter {
        sku: Some(wish.sku),
        currency: Some(currency),
        at: Some(crate::clock::now(conn).await?),
        id: None,
    };
    let price = price::list(conn, filter, None, 1).await?.pop();
    let rate = price.map_or(0, |price| price.amount_micros_per_hour);
    let known = account::get(conn, org).await?;
    let (hold, but) = (wish.hold_seconds, wish.allocation_id);
    let waiting = balance::held(conn, org, currency, hold, but).await?;
    let now = balance::get(conn, org, currency, None).await?;
    let per_hour = rate.saturating_mul(wish.gpu_count.into());
    let start = money::micros(i128::from(per_hour) * i128::from(hold) * 1_000_000);
    Ok(Funds {
        depleted: known
            .as_ref()
            .is_some_and(|known| known.depleted_at.is_some()),
        terms: known.as_ref().map_or(Terms::Invoiced, |known| known.terms),
        free_micros: now.available_micros().saturating_sub(waiting.micros),
        start_micros: start.unwrap_or(i64::MAX),
        spend_cap_micros_per_hour: known.and_then(|known| known.spend_cap_micros_per_hour),
        others_micros_per_hour: now
            .burn_micros_per_hour()
            .saturating_add(waiting.micros_per_hour),
        micros_per_hour: per_hour,
    })
}
