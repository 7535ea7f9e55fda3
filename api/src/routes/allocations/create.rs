//! `POST /allocations`

mod demand;
pub(super) mod plan;
mod prepare;

use axum::Extension;
use db::allocation::{Ground, NewAllocation};
use domain::event::AllocationRequested;
use domain::id::{OrgId, ProjectId};
use domain::operation::OperationKind;
use domain::policy::{self, Scope};
use serde_json::json;
use utoipa_axum::routes;

use self::demand::{Demand, Limits, Request};
use self::prepare::{Prepared, prepare};
use super::order::Order;
use crate::authentication::Principal;
use crate::authorization::{On, action};
use crate::body::Body;
use crate::delivery;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::policy::PolicyClient;
use crate::problem::{Code, Problem};
use crate::routes::operations::OperationView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Principal,
            rate: RateClass::Provision,
            idempotency: Idempotency::of::<OperationView>(),
            action: Some(&action::ALLOCATION_CREATE),
        },
    )
    .preparing(|call| Box::pin(prepare(call)))
}

/// Ask for GPUs
///
/// The answer is an operation that ends when its public keys can log in, or when it cannot be had.
#[utoipa::path(post, path = "/api/v1/allocations", request_body = Request,
    responses((status = 202, description = "It is asked for", body = OperationView)))]
async fn handler(
    mut mutation: Mutation,
    Extension(prepared): Extension<Prepared>,
    Body(request): Body<Request>,
) -> Result<Committed<OperationView>, Problem> {
    let by = mutation.principal()?.clone();
    let project = request.project_id;
    let keys = request.leading_ssh_keys();
    let ground =
        db::allocation::ground(mutation.conn(), by.org_id, project, &request.sku, keys).await?;
    if !ground.project_stands {
        return Err(Problem::not_found("project").at("/project_id", "there is no such project"));
    }
    let mut permitted = mutation.authorize(On::Project(project))?;
    let limits = limits(&*permitted.policy()?, by.org_id, project, &ground)?;
    let demand = request.check(&limits)?;
    known_keys(&ground, &demand)?;
    let (operation, intent) = write(permitted.conn(), &by, &demand, &prepared, &limits).await?;
    let app = permitted.app();
    let answer = permitted
        .accepted(OperationView::new(operation, &app.settings))
        .await?;
    delivery::spawn(&app, intent);
    Ok(answer)
}

/// What policy and catalog allow.
fn limits(
    policy: &dyn PolicyClient,
    org: OrgId,
    project: ProjectId,
    ground: &Ground,
) -> Result<Limits, Problem> {
    let gpus_per_node = ground
        .gpus_per_node
        .ok_or_else(|| Problem::new(Code::UnknownSku).at("/sku", "nothing of this name is sold"))?;
    let scope = Scope::Project(org, project);
    Ok(Limits {
        gpus_per_node: i64::from(gpus_per_node),
        gpus_max: policy.value(&policy::GPUS_MAX, scope),
        lease_seconds: policy.value(&policy::LEASE, scope),
        lease_max_seconds: policy.value(&policy::LEASE_MAX, scope),
        queue_timeout_seconds: policy.value(&policy::QUEUE_TIMEOUT, scope),
        deadline_seconds: policy.value(&policy::OPERATION_DEADLINE, scope),
    })
}

/// Points at the first public key that the organization does not have.
fn known_keys(ground: &Ground, demand: &Demand) -> Result<(), Problem> {
    let known = &ground.ssh_keys;
    match demand.ssh_key_ids.iter().position(|id| !known.contains(id)) {
        Some(index) => {
            let pointer = format!("/ssh_key_ids/{index}");
            Err(Problem::not_found("SSH key").at(pointer, "there is no such SSH key"))
        }
        None => Ok(()),
    }
}

/// All that one accepted request is: the rest of it is written by the commit.
async fn write(
    conn: &mut db::PgConnection,
    by: &Principal,
    demand: &Demand,
    prepared: &Prepared,
    limits: &Limits,
) -> db::Result<(db::operation::Operation, db::intent::Intent)> {
    let id = prepared.id;
    let new = NewAllocation {
        id,
        org_id: by.org_id,
        project_id: demand.project_id,
        created_by: by.user_id,
        name: demand.name.as_str(),
        sku: &demand.sku,
        gpu_count: demand.gpu_count,
        labels: &demand.labels,
        queue_timeout_seconds: demand.queue_timeout_seconds,
        lease_seconds: demand.lease_seconds,
        scheduler_request: prepared.scheduler_request.as_deref(),
    };
    db::allocation::insert(conn, &new).await?;
    db::allocation::set_ssh_keys(conn, by.org_id, id, &demand.ssh_key_ids).await?;
    let requested = AllocationRequested {
        allocation_id: id,
        project_id: demand.project_id,
        gpu_count: demand.gpu_count.unsigned_abs(),
    };
    db::outbox::append(conn, Some(by.org_id), &requested.into()).await?;
    let order = Order {
        org_id: by.org_id,
        allocation_id: id,
        requested_by: by.user_id,
        kind: OperationKind::AllocationCreate,
        params: json!({}),
        // Waiting for capacity is no fault.
        deadline_seconds: limits.deadline_seconds + i64::from(demand.queue_timeout_seconds),
    };
    order.place(conn).await
}
