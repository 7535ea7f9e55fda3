//! `POST /allocations:plan`

use db::PgConnection;
use db::billing::funds::Wish;
use db::billing::price::Filter;
use db::quota::Counting;
use domain::id::{OrgId, ProjectId};
use domain::money::{self, Money};
use domain::policy::{self, Scope};
use domain::quota::Usage;
use domain::reason;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::demand::{Demand, Limits, Request};
use super::{known_keys, limits};
use crate::authentication::Principal;
use crate::body::Body;
use crate::call::{Call, Reader};
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::routes::billing::MoneySchema;

pub(in crate::routes::allocations) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// What a request would meet with at this moment. Nothing is kept for it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AllocationPlan)]
struct Plan {
    verdict: Verdict,
    /// Why it would be refused; null: it would not.
    #[schema(value_type = Option<String>, required, example = "quota_exceeded")]
    code: Option<reason::Code>,
    sku: String,
    gpu_count: i32,
    /// As asked for, or as policy says.
    lease_seconds: i32,
    queue_timeout_seconds: i32,
    /// What it would cost at the price of this moment; null: there is none in your currency.
    #[schema(required)]
    price: Option<Price>,
    capacity: Capacity,
    /// Every limit that binds it.
    quotas: Vec<Limit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PlanVerdict)]
enum Verdict {
    /// GPUs are there for it.
    Starts,
    /// It would stand in the queue, for as long as its timeout allows.
    Waits,
    /// It would fail.
    Refused,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanPrice)]
struct Price {
    #[schema(value_type = MoneySchema)]
    per_gpu_hour: Money,
    /// All its GPUs for an hour.
    #[schema(value_type = MoneySchema)]
    per_hour: Money,
    /// All its GPUs for the whole lease.
    #[schema(value_type = MoneySchema)]
    whole_lease: Money,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanCapacity)]
struct Capacity {
    /// Whether one machine has that many GPUs free and nobody waits before.
    fits_now: bool,
    /// Allocations of everybody's that wait for GPUs of this SKU.
    queued_allocations: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanLimit)]
struct Limit {
    /// The id of an organization or a project.
    scope: String,
    /// null: GPUs of every SKU count, and policy sets the limit.
    #[schema(required)]
    sku: Option<String>,
    gpus_max: i64,
    gpus_used: i64,
    gpus_left: i64,
}

/// See what a request would meet with, without making it
///
/// Takes the body of `POST /allocations`, refuses what that refuses, and says whether GPUs are free,
/// how many wait, what policy, quotas, balance and spend cap allow, and what it
/// would cost. Nothing is reserved: what is free now may be
/// gone when the request comes.
#[utoipa::path(post, path = "/api/v1/allocations:plan", request_body = Request,
    responses((status = 200, description = "How it would fare", body = Plan)))]
async fn handler(
    call: Call,
    by: Principal,
    mut reader: Reader,
    Body(request): Body<Request>,
) -> Result<axum::Json<Plan>, Problem> {
    let conn = reader.conn();
    let (project, keys) = (request.project_id, request.leading_ssh_keys());
    let ground = db::allocation::ground(conn, by.org_id, project, &request.sku, keys).await?;
    if !ground.project_stands {
        return Err(Problem::not_found("project").at("/project_id", "there is no such project"));
    }
    let policy = call.policy()?;
    let limits = limits(&*policy, by.org_id, project, &ground)?;
    let hold_seconds = policy.value(&policy::START_HOLD, Scope::Organization(by.org_id));
    let demand = request.check(&limits)?;
    known_keys(&ground, &demand)?;
    let quotas = bounds(conn, by.org_id, &demand, &limits).await?;
    let room = db::allocation::queue::room(conn, &demand.sku).await?;
    let capacity = Capacity {
        fits_now: room.is_some_and(|room| {
            room.queued_allocations == 0 && room.most_free_on_a_node >= demand.gpu_count.into()
        }),
        queued_allocations: room.map_or(0, |room| room.queued_allocations),
    };
    let price = price(conn, by.org_id, &demand).await?;
    let wanted = i64::from(demand.gpu_count);
    let allowed = quotas.iter().all(|(_, usage)| usage.allows(wanted));
    let lacking = lacking(conn, by.org_id, &demand, hold_seconds).await?;
    let (verdict, code) = match lacking.filter(|_| allowed) {
        Some(code) => (Verdict::Refused, Some(code)),
        None => judge(allowed, capacity.fits_now, demand.queue_timeout_seconds),
    };
    Ok(axum::Json(Plan {
        verdict,
        code,
        gpu_count: demand.gpu_count,
        lease_seconds: demand.lease_seconds,
        queue_timeout_seconds: demand.queue_timeout_seconds,
        price,
        capacity,
        quotas: quotas
            .into_iter()
            .map(|(of, usage)| of.limit(&demand, usage))
            .collect(),
        sku: demand.sku,
    }))
}

/// Why the organization could not pay for it.
async fn lacking(
    conn: &mut PgConnection,
    org: OrgId,
    demand: &Demand,
    hold_seconds: i64,
) -> db::Result<Option<reason::Code>> {
    let wish = Wish {
        org_id: org,
        sku: &demand.sku,
        gpu_count: demand.gpu_count,
        hold_seconds,
        allocation_id: None,
    };
    Ok(db::billing::funds::get(conn, wish).await?.lacking())
}

/// What it would cost now.
async fn price(
    conn: &mut PgConnection,
    org: OrgId,
    demand: &Demand,
) -> Result<Option<Price>, Problem> {
    let currency = db::billing::currency_of(conn, org).await?;
    let filter = Filter {
        sku: Some(&demand.sku),
        currency: Some(currency),
        at: Some(db::clock::now(conn).await?),
        id: None,
    };
    let found = db::billing::price::list(conn, filter, None, 1).await?.pop();
    let Some(found) = found else { return Ok(None) };
    let rate = found.amount_micros_per_hour;
    let gpus = i128::from(demand.gpu_count);
    let amount = |microseconds: i128| {
        let amount_micros = money::charge(gpus * microseconds, rate)
            .map_err(|why| Problem::invalid("/lease_seconds", why.to_string()))?;
        Ok::<_, Problem>(Money {
            amount_micros,
            currency,
        })
    };
    Ok(Some(Price {
        per_gpu_hour: Money {
            amount_micros: rate,
            currency,
        },
        per_hour: amount(money::HOUR_MICROSECONDS)?,
        whole_lease: amount(i128::from(demand.lease_seconds) * 1_000_000)?,
    }))
}

/// Whose limit it is, and of what.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Policy(ProjectId),
    Project(ProjectId),
    Organization(OrgId),
}

impl Bound {
    fn limit(self, demand: &Demand, usage: Usage) -> Limit {
        let sku = Some(demand.sku.clone());
        let (scope, sku) = match self {
            Self::Policy(project) => (project.to_string(), None),
            Self::Project(project) => (project.to_string(), sku),
            Self::Organization(org) => (org.to_string(), sku),
        };
        Limit {
            scope,
            sku,
            gpus_max: usage.gpus_max,
            gpus_used: usage.gpus_used,
            gpus_left: usage.gpus_left(),
        }
    }
}

/// What admission will look at.
async fn bounds(
    conn: &mut PgConnection,
    org: OrgId,
    demand: &Demand,
    limits: &Limits,
) -> db::Result<Vec<(Bound, Usage)>> {
    let project = demand.project_id;
    let usage = Usage {
        gpus_max: limits.gpus_max,
        gpus_used: db::allocation::queue::admitted_gpus(conn, project, None).await?,
    };
    let mut bounds = vec![(Bound::Policy(project), usage)];
    let counting = Counting::Admitted;
    let binding = db::quota::binding(conn, org, project, &demand.sku, counting, None).await?;
    for quota in binding {
        let of = quota
            .project_id
            .map_or(Bound::Organization(org), Bound::Project);
        bounds.push((of, quota.usage));
    }
    Ok(bounds)
}

fn judge(
    allowed: bool,
    fits_now: bool,
    queue_timeout_seconds: i32,
) -> (Verdict, Option<reason::Code>) {
    match (allowed, fits_now, queue_timeout_seconds) {
        (false, _, _) => (Verdict::Refused, Some(reason::Code::quota_exceeded())),
        (true, true, _) => (Verdict::Starts, None),
        (true, false, 0) => (Verdict::Refused, Some(reason::Code::no_capacity())),
        (true, false, _) => (Verdict::Waits, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_what_would_happen() {
        for (allowed, fits_now, timeout, verdict, code) in [
            (true, true, 0, Verdict::Starts, None),
            (true, true, 60, Verdict::Starts, None),
            (true, false, 60, Verdict::Waits, None),
            (true, false, 0, Verdict::Refused, Some("no_capacity")),
            (false, true, 60, Verdict::Refused, Some("quota_exceeded")),
            (false, false, 0, Verdict::Refused, Some("quota_exceeded")),
        ] {
            let (now, why) = judge(allowed, fits_now, timeout);
            assert_eq!(
                (now, why.as_ref().map(reason::Code::as_str)),
                (verdict, code)
            );
        }
    }
}
