//! `POST /admin/prices`

use db::billing::price::{self, NewPrice, Span};
use domain::id::PriceId;
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
use crate::instant;
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::resource::Resource;
use crate::routes::billing::{MoneySchema, PriceView, wake_guards_of};

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
    /// From when on, a whole second; missing: from now on. Time that has passed may get a price only
    /// where it had none.
    #[serde(default, deserialize_with = "instant::optional")]
    effective_from: Option<OffsetDateTime>,
    /// Why, for whoever asks later.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    reason: Name,
}

/// Set what an SKU costs from an instant on
///
/// The price that holds until then ends there, and this one holds until the next that is known. What
/// was used before it keeps the price of its time.
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
    if !db::catalog::sku_exists(conn, &request.sku).await? {
        let why = "nothing of this name is or was sold";
        return Err(Problem::new(Code::UnknownSku).at("/sku", why));
    }
    price::lock(conn, &request.sku, currency).await?;
    let now = whole_second(db::clock::now(conn).await?);
    let from = request.effective_from.unwrap_or(now);
    let span = price::at_or_after(conn, &request.sku, currency, from).await?;
    let place = place(from, now, span).map_err(|why| Problem::invalid("/effective_from", why))?;
    if let Some(id) = place.ends {
        price::end(conn, id, from).await?;
    }
    let new = NewPrice {
        sku: &request.sku,
        currency,
        amount_micros_per_hour: amount_micros,
        effective_from: from,
        effective_to: place.to,
        reason: request.reason.as_str(),
        created_by: Some(by),
    };
    let id = price::insert(conn, new).await?;
    wake_guards_of(conn, &request.sku, currency).await?;
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

/// Where a price goes that begins at an instant.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// The price that ends there.
    ends: Option<PriceId>,
    to: Option<OffsetDateTime>,
}

/// `span`: the price that holds at `from`, or else the next one after it.
fn place(from: OffsetDateTime, now: OffsetDateTime, span: Option<Span>) -> Result<Place, String> {
    if from.nanosecond() != 0 {
        return Err("must be a whole second".to_owned());
    }
    if (from - now).whole_days() > AHEAD_MAX_DAYS {
        return Err(format!("must be at most {AHEAD_MAX_DAYS} days ahead"));
    }
    match span {
        None => Ok(Place {
            ends: None,
            to: None,
        }),
        Some(next) if next.from > from => Ok(Place {
            ends: None,
            to: Some(next.from),
        }),
        Some(held) if held.from == from => Err(
            "is the start of a price that is known; one that is not in force can be withdrawn"
                .to_owned(),
        ),
        Some(_) if from < now => {
            Err("must not have passed: what was used then has its price".to_owned())
        }
        Some(held) => Ok(Place {
            ends: Some(held.id),
            to: held.to,
        }),
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    fn span(from: OffsetDateTime, to: Option<OffsetDateTime>) -> Span {
        let id = PriceId::from_uuid(uuid::Uuid::from_u128(7));
        Span { id, from, to }
    }

    #[test]
    fn a_price_takes_time_that_has_none_or_is_ahead() {
        let now = datetime!(2026-06-01 0:00 UTC);
        let (past, ahead) = (now - Duration::DAY, now + Duration::DAY);
        let later = ahead + Duration::DAY;
        let free = |to| Ok(Place { ends: None, to });
        assert_eq!(place(past, now, None), free(None));
        // Time before a price that was set too far ahead.
        assert_eq!(place(past, now, Some(span(ahead, None))), free(Some(ahead)));
        assert_eq!(place(now, now, Some(span(ahead, None))), free(Some(ahead)));
        let ends = Some(span(past, None).id);
        assert_eq!(
            place(ahead, now, Some(span(past, None))),
            Ok(Place { ends, to: None })
        );
        let to = Some(later);
        assert_eq!(
            place(ahead, now, Some(span(past, to))),
            Ok(Place { ends, to })
        );
        for (from, span) in [
            (past, Some(span(past - Duration::DAY, None))),
            (past, Some(span(past, None))),
            (ahead, Some(span(ahead, None))),
            (now + Duration::MILLISECOND, None),
            (now + Duration::days(4_000), None),
        ] {
            assert!(place(from, now, span).is_err(), "{from}");
        }
    }
}
