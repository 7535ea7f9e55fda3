//! `/admin/policy-changes`: what was changed about policies, by whom and when.

mod list;

use db::policy_change::{ChangeKind, PolicyChange as Row};
use domain::id::{AuthorizationPolicyId, OrgId, ProjectId, UserId};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::endpoint::Endpoint;
use crate::resource::Resource;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint()]
}

/// One change, as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
struct PolicyChange {
    /// Of all that policies say; each change makes the next one.
    version: i64,
    /// `value` or `authorization`.
    kind: &'static str,
    /// The key of a value, the id of an authorization policy.
    subject: String,
    /// `platform`, or the id of an organization or a project.
    scope: String,
    /// What holds since then; null: it was taken away.
    #[schema(required)]
    content: Option<Value>,
    /// Null: not through the API.
    #[schema(value_type = Option<String>, required)]
    changed_by: Option<UserId>,
    #[serde(with = "time::serde::rfc3339")]
    changed_at: OffsetDateTime,
}

impl From<Row> for PolicyChange {
    fn from(row: Row) -> Self {
        let subject = match (row.kind, row.subject.parse::<Uuid>()) {
            (ChangeKind::Authorization, Ok(id)) => AuthorizationPolicyId::from(id).to_string(),
            _ => row.subject,
        };
        let scope = match (row.scope_kind.as_str(), row.scope_id) {
            ("organization", Some(id)) => OrgId::from(id).to_string(),
            ("project", Some(id)) => ProjectId::from(id).to_string(),
            _ => row.scope_kind,
        };
        Self {
            version: row.version,
            kind: row.kind.into(),
            subject,
            scope,
            content: row.content,
            changed_by: row.changed_by,
            changed_at: row.changed_at,
        }
    }
}

impl Resource for PolicyChange {
    const KIND: &'static str = "policy_change";

    fn id(&self) -> String {
        self.version.to_string()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/policy-changes?subject={}", self.subject)
    }
}
