//! `POST /admin/prices`

use db::billing::price::{self, NewPrice};
use domain::money::{Money, PRICE_MAX_MICROS};
use domain::name::Name;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::resource::Resource;
use crate::routes::billing::{MoneySchema, PriceView};

/// How far ahead a price may be announced, in days.
const AHEAD_MAX_DAYS: i64 = 3_660;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::of::<PriceView>(),
            action: Some(&action::PRICE_SET),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetPrice)]
struct Request {
    #[schema(example = "h100-80gb")]
    sku: String,
    /// What one GPU costs for an hour.
    #[schema(value_type = MoneySchema)]
    per_gpu_hour: Money,
    /// From when on, a whole second; missing: from now on. Only the first price of an SKU in a
    /// currency may be for time that has passed.
    #[serde(default, with = "time::serde::rfc3339::option")]
    effective_from: Option<OffsetDateTime>,
    /// Why, for whoever asks later.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    reason: Name,
}

/// Set what an SKU costs from an instant on
///
/// The price that holds until then ends there. What was used before it keeps the price of its time.
#[utoipa::path(post, path = "/api/v1/admin/prices", request_body = Request,
    responses((status = 201, description = "The new price", body = PriceView)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<PriceView>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let by = mutation.principal()?.user_id;
    let Money {
        amount_micros,
        currency,
    } = request.per_gpu_hour;
    if !(0..=PRICE_MAX_MICROS).contains(&amount_micros) {
        let detail = format!("must be between 0 and {PRICE_MAX_MICROS}");
        return Err(Problem::invalid("/per_gpu_hour/amount_micros", detail));
    }
    let conn = mutation.conn();
    if db::catalog::get_sku(conn, &request.sku).await?.is_none() {
        return Err(Problem::new(Code::UnknownSku).at("/sku", "nothing of this name is sold"));
    }
    price::lock(conn, &request.sku, currency).await?;
    let now = whole_second(db::clock::now(conn).await?);
    let from = request.effective_from.unwrap_or(now);
    let last = price::lock_last(conn, &request.sku, currency).await?;
    check(from, now, last.map(|(_, since)| since))
        .map_err(|why| Problem::invalid("/effective_from", why))?;
    if let Some((id, _)) = last {
        price::end(conn, id, from).await?;
    }
    let new = NewPrice {
        sku: &request.sku,
        currency,
        amount_micros_per_hour: amount_micros,
        effective_from: from,
        reason: request.reason.as_str(),
        created_by: Some(by),
    };
    let id = price::insert(conn, new).await?;
    let now = price::get(conn, id).await?;
    let now = now.ok_or_else(|| Problem::not_found(PriceView::KIND))?;
    mutation.note(json!({
        "sku": request.sku,
        "amount_micros_per_hour": amount_micros,
        "currency": currency,
        "reason": request.reason.as_str(),
    }));
    Ok(mutation.created(PriceView::from(now)).await?)
}

fn whole_second(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0).unwrap_or(at)
}

/// Whether a price may begin at an instant, as the last one began at `last`.
fn check(
    from: OffsetDateTime,
    now: OffsetDateTime,
    last: Option<OffsetDateTime>,
) -> Result<(), String> {
    if from.nanosecond() != 0 {
        return Err("must be a whole second".to_owned());
    }
    if (from - now).whole_days() > AHEAD_MAX_DAYS {
        return Err(format!("must be at most {AHEAD_MAX_DAYS} days ahead"));
    }
    if from.year() < 2000 {
        return Err("must not be before the year 2000".to_owned());
    }
    match last {
        Some(_) if from < now => {
            Err("must not have passed: what was used until now has its price".to_owned())
        }
        Some(last) if from <= last => {
            Err("must be after the start of the last price that is known".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn only_a_first_price_reaches_back() {
        let now = datetime!(2026-06-01 0:00 UTC);
        let (past, ahead) = (now - Duration::DAY, now + Duration::DAY);
        assert_eq!(check(past, now, None), Ok(()));
        assert!(check(past, now, Some(past - Duration::DAY)).is_err());
        assert_eq!(check(now, now, Some(past)), Ok(()));
        assert_eq!(check(ahead, now, Some(past)), Ok(()));
        assert!(check(ahead, now, Some(ahead)).is_err());
        assert!(check(ahead, now, Some(ahead + Duration::DAY)).is_err());
        assert!(check(now + Duration::MILLISECOND, now, None).is_err());
        assert!(check(now + Duration::days(4_000), now, None).is_err());
        assert!(check(datetime!(1999-01-01 0:00 UTC), now, None).is_err());
    }
}
