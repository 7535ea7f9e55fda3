//! `PUT /balance/spend-cap`

use db::billing::account;
use domain::balance::Terms;
use domain::money::{AMOUNT_MAX_MICROS, Money};
use domain::policy::{self, Scope};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::AccountView;
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::resource::Resource;
use crate::routes::billing::MoneySchema;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Principal,
            rate: RateClass::Write,
            idempotency: Idempotency::None,
            action: Some(&action::SPEND_CAP_SET),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetSpendCap)]
struct Request {
    /// In the account's currency; null: no cap.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<MoneySchema>, required)]
    per_hour: Option<Money>,
}

/// Set how much an hour of everything together may cost
///
/// What runs already goes on. An allocation with which an hour would cost more fails.
#[utoipa::path(put, path = "/api/v1/balance/spend-cap", request_body = Request,
    responses((status = 200, description = "The account as it is now", body = AccountView)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<AccountView>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let org = mutation.principal()?.org_id;
    let prepaid = mutation.policy()?.value(&policy::PREPAID, Scope::Platform);
    let conn = mutation.conn();
    let held = account::hold(conn, org, Terms::of_new_account(prepaid)).await?;
    if let Some(cap) = request.per_hour {
        if !(0..=AMOUNT_MAX_MICROS).contains(&cap.amount_micros) {
            let detail = format!("must be between 0 and {AMOUNT_MAX_MICROS}");
            return Err(Problem::invalid("/per_hour/amount_micros", detail));
        }
        if cap.currency != held.currency {
            let detail = format!("the account is kept in {}", held.currency);
            return Err(Problem::invalid("/per_hour/currency", detail));
        }
    }
    let cap = request.per_hour.map(|cap| cap.amount_micros);
    account::set_spend_cap(conn, org, cap).await?;
    let now = account::get(conn, org).await?;
    let now = now.ok_or_else(|| Problem::not_found(AccountView::KIND))?;
    mutation.note(json!({ "per_hour": request.per_hour }));
    Ok(mutation.updated(AccountView::from(now)).await?)
}
