//! `POST /admin/billing-runs`

use contract::workflow_id;
use db::billing::run::{self, NewRun};
use db::intent::IntentKind;
use domain::billing::{Period, PeriodError};
use domain::id::OrgId;
use domain::operation::OperationKind;
use domain::policy::{BILLING_DEADLINE, Scope};
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::authorization::{On, action};
use crate::body::Body;
use crate::delivery;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::instant;
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::routes::admin::work::{self, Work};
use crate::routes::operations::OperationView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::of::<OperationView>(),
            action: Some(&action::BILLING_RUN_CREATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateBillingRun)]
struct Request {
    #[serde(deserialize_with = "instant::required")]
    period_start: OffsetDateTime,
    /// It must have passed.
    #[serde(deserialize_with = "instant::required")]
    period_end: OffsetDateTime,
    /// Only this organization's use; missing: everybody's, a calendar month (UTC).
    #[schema(value_type = Option<String>)]
    organization_id: Option<OrgId>,
}

/// Bill a period
///
/// Whatever was billed of it before stays; use that became known since is billed by a credit note
/// and a new invoice. A period that overlaps one that was billed, and is not the same, is refused.
#[utoipa::path(post, path = "/api/v1/admin/billing-runs", request_body = Request,
    responses((status = 202, description = "It is going to be billed", body = OperationView)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<OperationView>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    let by = permitted.principal()?.user_id;
    let (app, policy) = (permitted.app(), permitted.policy()?);
    let (org, conn) = (request.organization_id, permitted.conn());
    let now = db::clock::now(conn).await?;
    let period = Period::new(request.period_start, request.period_end, now).map_err(refused)?;
    if let Some(org) = org
        && db::organization::get(conn, org).await?.is_none()
    {
        let detail = "there is no such organization";
        return Err(Problem::invalid("/organization_id", detail));
    }
    match org {
        Some(org) if run::overlaps(conn, org, period).await? => {
            let detail = "part of the period was billed with another one";
            return Err(Problem::new(Code::Conflict).detail(detail));
        }
        // Anything else would keep the month from being billed as one.
        None if !period.is_month() => {
            let detail = "must end a calendar month (UTC) that period_start begins, where no organization is named";
            return Err(Problem::invalid("/period_end", detail));
        }
        _ => {}
    }
    let id = db::id::fresh();
    let workflow_id = workflow_id::billing(id);
    let new = NewRun {
        id,
        org_id: org,
        period,
        workflow_id: &workflow_id,
    };
    run::insert(conn, new).await?;
    let work = Work {
        kind: OperationKind::BillingRunCreate,
        resource_id: id.uuid(),
        workflow_type: workflow_id::BILLING_RUN,
        workflow_id: &workflow_id,
        requested_by: by,
        deadline_seconds: policy.value(&BILLING_DEADLINE, Scope::Platform),
    };
    let (operation, intent) = work::place(conn, work, IntentKind::Start).await?;
    let view = OperationView::new(operation, &app.settings);
    let answer = permitted.accepted(view).await?;
    delivery::spawn(&app, intent);
    Ok(answer)
}

fn refused(why: PeriodError) -> Problem {
    Problem::invalid("/period_end", why.to_string())
}
