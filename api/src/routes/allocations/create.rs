//! `POST /allocations`

mod demand;
mod prepare;

use axum::Extension;
use db::allocation::NewAllocation;
use domain::event::AllocationRequested;
use domain::id::OrgId;
use domain::operation::OperationKind;
use domain::policy::{self, Policy, Scope};
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
    if !db::allocation::project_stands(mutation.conn(), by.org_id, project).await? {
        return Err(Problem::not_found("project").at("/project_id", "there is no such project"));
    }
    let mut permitted = mutation.authorize(On::Project(project))?;
    let conn = permitted.conn();
    let limits = limits(conn, by.org_id, &request).await?;
    let demand = request.check(&limits)?;
    known_keys(conn, by.org_id, &demand).await?;
    let (operation, intent) = write(conn, &by, &demand, &prepared, &limits).await?;
    let app = permitted.app();
    let answer = permitted
        .accepted(OperationView::new(operation, &app.settings))
        .await?;
    delivery::spawn(&app, intent);
    Ok(answer)
}

/// What policy and catalog allow.
async fn limits(
    conn: &mut db::PgConnection,
    org: OrgId,
    request: &Request,
) -> Result<Limits, Problem> {
    let sku = db::catalog::get_sku(conn, &request.sku).await?;
    let sku = sku
        .ok_or_else(|| Problem::new(Code::UnknownSku).at("/sku", "nothing of this name is sold"))?;
    let scope = Scope::Project(org, request.project_id);
    let mut resolve = async |policy: &Policy| db::policy::resolve(&mut *conn, policy, scope).await;
    Ok(Limits {
        gpus_per_node: i64::from(sku.gpus_per_node),
        gpus_max: resolve(&policy::GPUS_MAX).await?,
        lease_seconds: resolve(&policy::LEASE).await?,
        lease_max_seconds: resolve(&policy::LEASE_MAX).await?,
        queue_timeout_seconds: resolve(&policy::QUEUE_TIMEOUT).await?,
        deadline_seconds: resolve(&policy::OPERATION_DEADLINE).await?,
    })
}

/// Points at the first public key that the organization does not have.
async fn known_keys(
    conn: &mut db::PgConnection,
    org: OrgId,
    demand: &Demand,
) -> Result<(), Problem> {
    let known = db::allocation::known_ssh_keys(conn, org, &demand.ssh_key_ids).await?;
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
