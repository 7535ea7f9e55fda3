//! What workflows do on their own account, in the audit log.

use db::PgConnection;
use db::allocation::transition::Held;
use db::audit::{Actor, Entry, Outcome};
use db::rotation::Rotation;
use domain::balance::BalanceState;
use domain::id::{BillingRunId, CreditId, MaintenanceId, NodeId, OrgId};
use domain::reason::Code;
use serde_json::json;

use crate::refusal::Refusal;

/// An allocation's workflow did something to it; `reason` is why, or why it did not work.
pub(crate) async fn allocation(
    conn: &mut PgConnection,
    held: &Held,
    action: &str,
    reason: Option<&Code>,
) -> Result<(), Refusal> {
    let by = contract::workflow_id::allocation(held.id);
    let thing = ("allocation", held.id.to_string());
    append(conn, &by, Some(held.org_id), action, thing, reason).await
}

/// A workflow did something to a node.
pub(crate) async fn node(
    conn: &mut PgConnection,
    by: &str,
    node: NodeId,
    action: &str,
    reason: Option<&Code>,
) -> Result<(), Refusal> {
    append(conn, by, None, action, ("node", node.to_string()), reason).await
}

/// A billing run begins or ends.
pub(crate) async fn billing_run(
    conn: &mut PgConnection,
    by: &str,
    run: BillingRunId,
    org_id: Option<OrgId>,
    what: &str,
) -> Result<(), Refusal> {
    let (action, thing) = (
        format!("billing_run.{what}"),
        ("billing_run", run.to_string()),
    );
    append(conn, by, org_id, &action, thing, None).await
}

/// A prepaid balance came into another state.
pub(crate) async fn balance(
    conn: &mut PgConnection,
    org: OrgId,
    to: BalanceState,
) -> Result<(), Refusal> {
    let (by, action) = (contract::workflow_id::balance(org), format!("balance.{to}"));
    let thing = ("organization", org.to_string());
    append(conn, &by, Some(org), &action, thing, None).await
}

/// What was left of a credit is taken back.
pub(crate) async fn credit_expired(
    conn: &mut PgConnection,
    org: OrgId,
    credit: CreditId,
) -> Result<(), Refusal> {
    let by = contract::workflow_id::balance(org);
    let thing = ("credit", credit.to_string());
    append(conn, &by, Some(org), "credit.expire", thing, None).await
}

/// A rotation begins, moves on or ends.
pub(crate) async fn rotation(
    conn: &mut PgConnection,
    rotation: &Rotation,
    what: &str,
) -> Result<(), Refusal> {
    let (action, thing) = (
        format!("rotation.{what}"),
        ("rotation", rotation.id.to_string()),
    );
    append(conn, &rotation.workflow_id, None, &action, thing, None).await
}

/// The partitions of a table change; `name` is the table's or the partition's.
pub(crate) async fn partition(
    conn: &mut PgConnection,
    run: MaintenanceId,
    what: &str,
    name: &str,
) -> Result<(), Refusal> {
    let (by, action) = (
        contract::workflow_id::maintenance(run),
        format!("partition.{what}"),
    );
    append(conn, &by, None, &action, ("table", name.to_owned()), None).await
}

/// A sweep owes a live row a new run of its workflow.
pub(crate) async fn restarted(
    conn: &mut PgConnection,
    workflow: &str,
    org_id: Option<OrgId>,
) -> Result<(), Refusal> {
    let thing = ("workflow", workflow.to_owned());
    append(conn, "sweep", org_id, "workflow.restart", thing, None).await
}

async fn append(
    conn: &mut PgConnection,
    workflow: &str,
    org_id: Option<OrgId>,
    action: &str,
    (resource_kind, resource_id): (&str, String),
    reason: Option<&Code>,
) -> Result<(), Refusal> {
    let entry = Entry {
        org_id,
        actor: Actor {
            kind: "workflow",
            id: workflow,
            user_id: None,
        },
        action,
        resource_kind,
        resource_id: Some(&resource_id),
        outcome: Outcome::Allowed,
        reason: reason.map(Code::as_str),
        request_id: None,
        detail: &json!({}),
    };
    db::audit::append(conn, entry).await?;
    Ok(())
}
