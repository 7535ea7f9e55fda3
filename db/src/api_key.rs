//! API keys. The secret is never here, only its SHA-256.

use std::collections::BTreeMap;

use domain::id::{ApiKeyId, OrgId, ProjectId, UserId};
use domain::role::{ProjectRole, Role};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Error, Result, parse};

/// What the front door needs to judge a key; read before an organization is known.
#[derive(Debug, Clone)]
pub struct Credential {
    pub id: ApiKeyId,
    pub org_id: OrgId,
    pub user_id: UserId,
    pub secret_sha256: Vec<u8>,
    /// The secret before the last rotation and the instant at which it ends.
    pub previous: Option<(Vec<u8>, OffsetDateTime)>,
    pub expires_at: OffsetDateTime,
    pub revoked_at: Option<OffsetDateTime>,
    pub role: Role,
    pub project_roles: BTreeMap<ProjectId, ProjectRole>,
    pub platform_operator: bool,
    /// The last noted use is more than a minute old.
    pub stale_use: bool,
    /// The database's clock.
    pub now: OffsetDateTime,
}

/// Finds the key behind a public id. Keys of deleted organizations and of people who left are
/// not found.
pub async fn authenticate(conn: &mut PgConnection, public_id: &str) -> Result<Option<Credential>> {
    let row = sqlx::query!(
        r#"select id as "id!", org_id as "org_id!", user_id as "user_id!",
                  secret_sha256 as "secret_sha256!", previous_secret_sha256, previous_expires_at,
                  expires_at as "expires_at!", revoked_at, role as "role!",
                  project_roles as "project_roles!: sqlx::types::Json<BTreeMap<Uuid, String>>",
                  platform_role, stale_use as "stale_use!", now as "now!"
           from authenticate_api_key($1)"#,
        public_id,
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let project_roles = row.project_roles.0.into_iter().map(|(project, role)| {
            Ok((
                project.into(),
                parse("project_members", "role", project, &role)?,
            ))
        });
        Ok::<_, Error>(Credential {
            id: row.id.into(),
            org_id: row.org_id.into(),
            user_id: row.user_id.into(),
            secret_sha256: row.secret_sha256,
            previous: row.previous_secret_sha256.zip(row.previous_expires_at),
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            role: parse("memberships", "role", row.user_id, &row.role)?,
            project_roles: project_roles.collect::<Result<_>>()?,
            platform_operator: row.platform_role.as_deref() == Some("operator"),
            stale_use: row.stale_use,
            now: row.now,
        })
    })
    .transpose()
}

/// Notes that a key was used, once a minute at most (AK-06).
pub async fn touch(conn: &mut PgConnection, id: ApiKeyId) -> Result<()> {
    sqlx::query!("select touch_api_key($1)", id.uuid())
        .fetch_one(conn)
        .await?;
    Ok(())
}
