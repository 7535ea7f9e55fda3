//! The audit log: who did what, and who was refused. Rows are only ever added.

use domain::id::{AuditId, OrgId, UserId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Result;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Allowed,
    /// The caller had no right.
    Denied,
    /// The caller had the right, and it did not work.
    Failed,
}

/// Who acted: `kind` is one of `user`, `api_key`, `workflow`, `system`, `anonymous`.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    pub kind: &'a str,
    pub id: &'a str,
    pub user_id: Option<UserId>,
}

/// One line of the log. `detail` holds ids and numbers, never a secret.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub org_id: Option<OrgId>,
    pub actor: Actor<'a>,
    pub action: &'a str,
    pub resource_kind: &'a str,
    pub resource_id: Option<&'a str>,
    pub outcome: Outcome,
    pub reason: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub detail: &'a Value,
}

/// Adds an entry; it stands or falls with the caller's transaction.
pub async fn append(conn: &mut PgConnection, entry: Entry<'_>) -> Result<AuditId> {
    let id: AuditId = crate::id::fresh();
    sqlx::query!(
        "insert into audit_logs (id, created_at, org_id, actor_kind, actor_id, user_id, action,
                                 resource_kind, resource_id, outcome, reason, request_id, detail)
         values ($1, uuid_v7_at($1), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        id.uuid(),
        entry.org_id.map(OrgId::uuid),
        entry.actor.kind,
        entry.actor.id,
        entry.actor.user_id.map(UserId::uuid) as Option<Uuid>,
        entry.action,
        entry.resource_kind,
        entry.resource_id,
        entry.outcome.as_str(),
        entry.reason,
        entry.request_id,
        entry.detail,
    )
    .execute(conn)
    .await?;
    Ok(id)
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}
