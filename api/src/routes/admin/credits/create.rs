//! `POST /admin/credits`

use db::billing::credit::NewCredit;
use domain::balance::Terms;
use domain::id::OrgId;
use domain::money::Money;
use domain::name::Name;
use domain::policy::{self, Scope};
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::CreditView;
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::instant;
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::resource::Resource;
use crate::routes::billing::{MoneySchema, receive, wake_guard};

/// The last of the priorities.
const PRIORITY_MAX: i32 = 1_000;

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
    /// Use is paid from the lowest first, then from what expires first.
    #[serde(default = "usual_priority")]
    #[schema(minimum = 0, maximum = 1000, default = 100)]
    priority: i32,
    /// When what is left of it is taken back; missing: it stays.
    #[serde(default, deserialize_with = "instant::optional")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<OffsetDateTime>,
}

fn usual_priority() -> i32 {
    100
}

/// Give an organization money
///
/// The first money of an organization that has used nothing makes its account prepaid, unless an
/// operator set its terms: from then on everything it has is released when its balance is used up.
#[utoipa::path(post, path = "/api/v1/admin/credits", request_body = Request,
    responses((status = 201, description = "It is in the ledger", body = CreditView)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<CreditView>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let by = mutation.principal()?.user_id;
    let money = request.amount;
    if !(0..=PRIORITY_MAX).contains(&request.priority) {
        let detail = format!("must be between 0 and {PRIORITY_MAX}");
        return Err(Problem::invalid("/priority", detail));
    }
    let prepaid = mutation.policy()?.value(&policy::PREPAID, Scope::Platform);
    let terms = Terms::of_new_account(prepaid);
    let (org_id, conn) = (request.organization_id, mutation.conn());
    receive::ready(conn, org_id, money, terms, "").await?;
    let now = db::clock::now(conn).await?;
    if request.expires_at.is_some_and(|at| at <= now) {
        return Err(Problem::invalid("/expires_at", "must not have passed"));
    }
    let reason = request.reason.as_str();
    let made_prepaid = db::billing::account::prepay(conn, org_id).await?;
    let new = NewCredit {
        org_id,
        money,
        reason,
        priority: request.priority,
        expires_at: request.expires_at,
        by,
    };
    let id = db::billing::credit::insert(conn, new).await?;
    wake_guard(conn, org_id).await?;
    let credit = db::billing::credit::get(conn, id).await?;
    let credit = credit.ok_or_else(|| Problem::not_found(CreditView::KIND))?;
    let (priority, expires_at) = (credit.priority, credit.expires_at);
    mutation.note(json!({
        "organization_id": org_id, "amount": money, "reason": reason, "priority": priority,
        "expires_at_seconds": expires_at.map(OffsetDateTime::unix_timestamp), "made_prepaid": made_prepaid,
    }));
    Ok(mutation.created(CreditView::from(credit)).await?)
}
