//! `POST /admin/credits`

use db::billing::Account;
use domain::id::OrgId;
use domain::money::{AMOUNT_MAX_MICROS, Money};
use domain::name::Name;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::CreditView;
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
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::of::<CreditView>(),
            action: Some(&action::CREDIT_GIVE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GiveCredit)]
struct Request {
    #[schema(value_type = String)]
    organization_id: OrgId,
    /// More than nothing. The first money of an organization decides about the currency that its
    /// account is kept in.
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// Why, for whoever asks later.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    reason: Name,
}

/// Give an organization money
#[utoipa::path(post, path = "/api/v1/admin/credits", request_body = Request,
    responses((status = 201, description = "It is in the ledger", body = CreditView)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<CreditView>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let by = mutation.principal()?.user_id;
    let money = request.amount;
    if !(1..=AMOUNT_MAX_MICROS).contains(&money.amount_micros) {
        let detail = format!("must be between 1 and {AMOUNT_MAX_MICROS}");
        return Err(Problem::invalid("/amount/amount_micros", detail));
    }
    let (org_id, conn) = (request.organization_id, mutation.conn());
    if db::organization::get(conn, org_id).await?.is_none() {
        let detail = "there is no such organization";
        return Err(Problem::invalid("/organization_id", detail));
    }
    let account = db::billing::account(conn, org_id).await?;
    if account.currency != money.currency {
        let wish = Account {
            currency: money.currency,
            ..account
        };
        if !db::billing::set_currency(conn, wish).await? {
            let detail = format!("the account is kept in {}", account.currency);
            return Err(Problem::invalid("/amount/currency", detail));
        }
    }
    let reason = request.reason.as_str();
    let id = db::billing::credit::insert(conn, org_id, money, reason, by).await?;
    let credit = db::billing::credit::get(conn, id).await?;
    let credit = credit.ok_or_else(|| Problem::not_found(CreditView::KIND))?;
    mutation.note(json!({ "organization_id": org_id, "amount": money, "reason": reason }));
    Ok(mutation.created(CreditView::from(credit)).await?)
}
