//! What was changed about policies and their values, by whom and when. Rows are written by the
//! triggers of what they are about.

use domain::id::UserId;
use serde_json::Value;
use sqlx::PgConnection;
use strum::{EnumString, IntoStaticStr};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, parse};

/// What was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ChangeKind {
    /// An override of a policy's value.
    Value,
    /// A rule.
    Authorization,
}

/// One change; from `version` on, `content` holds.
#[derive(Debug, Clone)]
pub struct PolicyChange {
    pub version: i64,
    pub kind: ChangeKind,
    /// The key of a value, the UUID of a rule.
    pub subject: String,
    /// `platform`, `organization` or `project`.
    pub scope_kind: String,
    pub scope_id: Option<Uuid>,
    /// `None`: it was taken away.
    pub content: Option<Value>,
    pub changed_by: Option<UserId>,
    pub changed_at: OffsetDateTime,
}

/// Newest first, those before `before`; of one subject, or all.
pub async fn list(
    conn: &mut PgConnection,
    subject: Option<&str>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<PolicyChange>> {
    let rows = sqlx::query!(
        "select version, kind, subject, scope_kind, scope_id, content, changed_by, changed_at
         from policy_changes
         where ($1::text is null or subject = $1) and ($2::bigint is null or version < $2)
         order by version desc limit $3",
        subject,
        before,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(PolicyChange {
                version: row.version,
                kind: parse("policy_changes", "kind", row.version, &row.kind)?,
                subject: row.subject,
                scope_kind: row.scope_kind,
                scope_id: row.scope_id,
                content: row.content,
                changed_by: row.changed_by.map(UserId::from),
                changed_at: row.changed_at,
            })
        })
        .collect()
}
