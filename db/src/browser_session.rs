//! Sessions of browsers. The secret is never here, only its SHA-256.

use std::collections::BTreeMap;

use domain::id::{BrowserSessionId, IdentityId, OrgId};
use domain::role::PlatformRole;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Result;
use crate::identity::{Known, MemberRow};

/// What the front door needs to judge a session.
#[derive(Debug, Clone)]
pub struct Found {
    pub id: BrowserSessionId,
    /// The organization that it was opened for, if the person named one.
    pub org_id: Option<OrgId>,
    /// Logged out, or void since something of it was revoked.
    pub ended: bool,
    /// Too old, or idle for too long.
    pub expired: bool,
    /// Time to note that it is in use.
    pub stale_use: bool,
    pub known: Known,
}

/// Finds the session and its person, in one query.
pub async fn authenticate(
    conn: &mut PgConnection,
    issuer: &str,
    secret_sha256: &[u8; 32],
) -> Result<Option<Found>> {
    let rows = sqlx::query_as!(
        FoundRow,
        r#"select session_id as "session_id!", session_org_id, ended as "ended!", expired as "expired!", stale_use as "stale_use!",
                  identity_id as "identity_id!", user_id as "user_id!", platform_role, org_id, role,
                  project_roles as "project_roles!: sqlx::types::Json<BTreeMap<Uuid, String>>"
           from authenticate_browser_session($1, $2)"#,
        secret_sha256.as_slice(),
        issuer,
    )
    .fetch_all(conn)
    .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let mut found = first.found();
    let memberships = rows.into_iter().filter_map(|row| {
        let member = MemberRow {
            org_id: row.org_id?,
            role: row.role?,
            project_roles: row.project_roles.0,
        };
        Some(member.membership())
    });
    found.known.memberships = memberships.collect::<Result<_>>()?;
    Ok(Some(found))
}

/// Notes that it is in use, unless that was noted a moment ago.
pub async fn touch(conn: &mut PgConnection, id: BrowserSessionId) -> Result<()> {
    sqlx::query!("select touch_browser_session($1)", id.uuid())
        .execute(conn)
        .await?;
    Ok(())
}

/// A session to be opened.
#[derive(Debug)]
pub struct New<'a> {
    pub id: BrowserSessionId,
    pub identity_id: IdentityId,
    pub org_id: Option<OrgId>,
    pub secret_sha256: [u8; 32],
    pub provider_key_id: &'a str,
    pub provider_session_id: Option<&'a str>,
    /// `iat` of the ID token, seconds since 1970.
    pub token_issued_at_seconds: i64,
    pub for_operator: bool,
    pub idle_seconds: i32,
    pub lifetime_seconds: i32,
}

/// Opens it; answers when it ends at the latest. The person's that ended a month ago are forgotten.
pub async fn insert(conn: &mut PgConnection, new: &New<'_>) -> Result<OffsetDateTime> {
    sqlx::query!(
        "delete from browser_sessions
         where identity_id = $1 and expires_at < clock_timestamp() - interval '30 days'",
        new.identity_id.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    let expires_at = sqlx::query_scalar!(
        "insert into browser_sessions (id, identity_id, org_id, secret_sha256, provider_key_id,
                                       provider_session_id, idle_seconds, expires_at, for_operator,
                                       token_issued_at)
         values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + make_interval(secs => $8), $9,
                 to_timestamp($10))
         returning expires_at",
        new.id.uuid(),
        new.identity_id.uuid(),
        new.org_id.map(OrgId::uuid),
        new.secret_sha256.as_slice(),
        new.provider_key_id,
        new.provider_session_id,
        new.idle_seconds,
        f64::from(new.lifetime_seconds),
        new.for_operator,
        seconds(new.token_issued_at_seconds),
    )
    .fetch_one(conn)
    .await?;
    Ok(expires_at)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "below 2^53 by the reader of tokens"
)]
fn seconds(whole: i64) -> f64 {
    whole as f64
}

/// Ends it for ever; one that has ended stays as it is.
pub async fn end(conn: &mut PgConnection, id: BrowserSessionId) -> Result<()> {
    sqlx::query!("select end_browser_session($1)", id.uuid())
        .execute(conn)
        .await?;
    Ok(())
}

struct FoundRow {
    session_id: Uuid,
    session_org_id: Option<Uuid>,
    ended: bool,
    expired: bool,
    stale_use: bool,
    identity_id: Uuid,
    user_id: Uuid,
    platform_role: Option<String>,
    org_id: Option<Uuid>,
    role: Option<String>,
    project_roles: sqlx::types::Json<BTreeMap<Uuid, String>>,
}

impl FoundRow {
    fn found(&self) -> Found {
        Found {
            id: self.session_id.into(),
            org_id: self.session_org_id.map(Into::into),
            ended: self.ended,
            expired: self.expired,
            stale_use: self.stale_use,
            known: Known {
                id: self.identity_id.into(),
                user_id: self.user_id.into(),
                platform_role: PlatformRole::of_row(self.platform_role.as_deref()),
                memberships: Vec::new(),
            },
        }
    }
}
