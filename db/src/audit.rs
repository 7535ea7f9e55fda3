//! The audit log: who did what, and who was refused. Rows are only ever added.

use domain::id::{AuditId, OrgId, UserId};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, parse};

/// How an attempt ended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
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

/// An entry as it is kept.
#[derive(Debug, Clone)]
pub struct Row {
    pub id: AuditId,
    pub org_id: Option<OrgId>,
    pub actor_kind: String,
    pub actor_id: String,
    pub user_id: Option<UserId>,
    pub action: String,
    pub resource_kind: String,
    pub resource_id: Option<String>,
    pub outcome: Outcome,
    pub reason: Option<String>,
    pub request_id: Option<String>,
    pub detail: Value,
    /// Its place in the chain of its organization, and the hash there (hex); `None`: it waits for that.
    pub seal: Option<(i64, String)>,
    pub created_at: OffsetDateTime,
}

/// Which entries are meant; missing: all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Which<'a> {
    pub id: Option<AuditId>,
    pub org_id: Option<OrgId>,
    pub action: Option<&'a str>,
    pub resource_kind: Option<&'a str>,
    pub resource_id: Option<&'a str>,
    pub actor_id: Option<&'a str>,
    pub outcome: Option<Outcome>,
    pub since: Option<OffsetDateTime>,
    /// It is before that.
    pub until: Option<OffsetDateTime>,
}

/// Entries, the latest first, from before `before`.
pub async fn list(
    conn: &mut PgConnection,
    which: &Which<'_>,
    before: Option<AuditId>,
    limit: i64,
) -> Result<Vec<Row>> {
    let rows = sqlx::query!(
        r#"select a.id as "id!", a.created_at as "created_at!", a.org_id, a.actor_kind as "actor_kind!", a.actor_id as "actor_id!",
                  a.user_id, a.action as "action!", a.resource_kind as "resource_kind!", a.resource_id,
                  a.outcome as "outcome!", a.reason, a.request_id, a.detail as "detail!", l.seq as "seq?", encode(l.hash, 'hex') as hash
           from audit_logs a left join audit_links l on l.audit_id = a.id
           where ($1::uuid is null or a.id = $1) and ($2::uuid is null or a.org_id = $2)
             and ($3::text is null or a.action = $3) and ($4::text is null or a.resource_kind = $4)
             and ($5::text is null or a.resource_id = $5) and ($6::text is null or a.actor_id = $6)
             and ($7::text is null or a.outcome = $7)
             and ($8::timestamptz is null or a.created_at >= $8)
             and ($9::timestamptz is null or a.created_at < $9)
             and ($10::uuid is null or a.id < $10)
           order by a.id desc limit $11"#,
        which.id.map(AuditId::uuid),
        which.org_id.map(OrgId::uuid),
        which.action,
        which.resource_kind,
        which.resource_id,
        which.actor_id,
        which.outcome.map(Outcome::as_str),
        which.since,
        which.until,
        before.map(AuditId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = AuditId::from(row.id);
            Ok(Row {
                id,
                org_id: row.org_id.map(OrgId::from),
                actor_kind: row.actor_kind,
                actor_id: row.actor_id,
                user_id: row.user_id.map(UserId::from),
                action: row.action,
                resource_kind: row.resource_kind,
                resource_id: row.resource_id,
                outcome: parse("audit_logs", "outcome", id, &row.outcome)?,
                reason: row.reason,
                request_id: row.request_id,
                detail: row.detail,
                seal: row.seq.zip(row.hash),
                created_at: row.created_at,
            })
        })
        .collect()
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
