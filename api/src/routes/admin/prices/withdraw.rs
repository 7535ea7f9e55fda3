//! `DELETE /admin/prices/{id}`

use domain::id::PriceId;
use utoipa_axum::routes;

use crate::authorization::{On, action};
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::query::Path;
use crate::resource::Resource;
use crate::routes::billing::{PriceView, wake_guards_of};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::None,
            action: Some(&action::PRICE_WITHDRAW),
        },
    )
}

/// Withdraw a price that is announced and not in force
///
/// The price before it goes on in its place.
#[utoipa::path(delete, path = "/api/v1/admin/prices/{id}", params(("id" = String, Path)),
    responses((status = 204, description = "The price is gone")))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<PriceId>,
) -> Result<Committed<PriceView>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let known = db::billing::price::get(mutation.conn(), id).await?;
    let known = known.ok_or_else(|| Problem::not_found(PriceView::KIND))?;
    if !db::billing::price::withdraw(mutation.conn(), id).await? {
        let why = "it is in force or was: set another one from an instant on";
        return Err(Problem::new(Code::Conflict).detail(why));
    }
    wake_guards_of(mutation.conn(), &known.sku, known.currency).await?;
    Ok(mutation.deleted(id).await?)
}
