//! `PUT /admin/billing-accounts/{id}/terms`

use db::billing::account;
use domain::balance::Terms;
use domain::event::BalanceStateChanged;
use domain::id::OrgId;
use domain::name::Name;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Resource;
use crate::routes::billing::{AccountView, wake_guard};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::None,
            action: Some(&action::BILLING_TERMS_SET),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetTerms)]
struct Request {
    /// `invoiced` or `prepaid`.
    #[schema(value_type = String)]
    terms: Terms,
    /// Why, for whoever asks later.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    reason: Name,
}

/// Set whether an organization pays before or after the use
///
/// An account that becomes prepaid and has nothing left loses what runs at once.
#[utoipa::path(put, path = "/api/v1/admin/billing-accounts/{id}/terms",
    params(("id" = String, Path)), request_body = Request,
    responses((status = 200, description = "The account as it is now", body = AccountView)))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<OrgId>,
    Body(request): Body<Request>,
) -> Result<Committed<AccountView>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let conn = mutation.conn();
    if db::organization::get(conn, id).await?.is_none() {
        return Err(Problem::not_found(AccountView::KIND));
    }
    account::hold(conn, id, request.terms).await?;
    let before = super::known(conn, id).await?.state;
    account::set_terms(conn, id, request.terms, request.reason.as_str()).await?;
    wake_guard(conn, id).await?;
    let now = account::get(conn, id).await?;
    let now = now.ok_or_else(|| Problem::not_found(AccountView::KIND))?;
    if now.state != before {
        let event = BalanceStateChanged {
            organization_id: id,
            from: before,
            to: now.state,
        };
        db::outbox::append(conn, Some(id), &event.into()).await?;
    }
    mutation.note(json!({
        "organization_id": id,
        "terms": request.terms,
        "reason": request.reason.as_str(),
    }));
    Ok(mutation.updated(AccountView::from(now)).await?)
}
