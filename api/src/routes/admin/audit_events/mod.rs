//! `/admin/audit-events`: who did what, and who was refused.

mod get;
mod list;
mod verify;

use db::audit::{Outcome, Row};
use domain::id::{AuditId, OrgId, UserId};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::endpoint::Endpoint;
use crate::resource::Resource;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint(), get::endpoint(), verify::endpoint()]
}

/// An entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEvent)]
struct EventView {
    #[schema(value_type = String)]
    id: AuditId,
    /// Null: it is about no organization, or nobody knows which.
    #[schema(value_type = Option<String>, required)]
    organization_id: Option<OrgId>,
    actor: Actor,
    #[schema(example = "allocation.create")]
    action: String,
    #[schema(example = "allocation")]
    resource_kind: String,
    #[schema(required)]
    resource_id: Option<String>,
    /// `allowed`; `denied`: whoever asked had no right; `failed`: it did not work.
    #[schema(value_type = String)]
    outcome: Outcome,
    /// Why it was refused, did not work, or was done.
    #[schema(required)]
    reason: Option<String>,
    #[schema(required)]
    request_id: Option<String>,
    #[schema(value_type = Object)]
    detail: Value,
    /// Its place in the chain of its organization; null: it waits to be sealed.
    #[schema(required)]
    seal: Option<Seal>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// Who acted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditActor)]
struct Actor {
    /// `user`, `api_key`, `workflow`, `system` or `anonymous`.
    kind: String,
    id: String,
    /// Whose key it is.
    #[schema(value_type = Option<String>, required)]
    user_id: Option<UserId>,
}

/// A place in a chain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditSeal)]
struct Seal {
    /// From 1 on, without a gap.
    seq: i64,
    /// Over the place, the hash before it and the entry; hex.
    sha256: String,
}

impl From<Row> for EventView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            organization_id: row.org_id,
            actor: Actor {
                kind: row.actor_kind,
                id: row.actor_id,
                user_id: row.user_id,
            },
            action: row.action,
            resource_kind: row.resource_kind,
            resource_id: row.resource_id,
            outcome: row.outcome,
            reason: row.reason,
            request_id: row.request_id,
            detail: row.detail,
            seal: row.seal.map(|(seq, sha256)| Seal { seq, sha256 }),
            created_at: row.created_at,
        }
    }
}

impl Resource for EventView {
    const KIND: &'static str = "audit_event";

    fn id(&self) -> String {
        self.id.to_string()
    }

    /// Nobody changes one.
    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/audit-events/{}", self.id)
    }
}
