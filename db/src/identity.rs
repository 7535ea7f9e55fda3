//! Identities at OpenID providers, and the person whom each of them is here.

use std::collections::BTreeMap;

use domain::id::{IdentityId, OrgId, ProjectId, UserId};
use domain::jwt::Denials;
use domain::role::{PlatformRole, ProjectRole, Role};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Error, Result, one_row, parse};

/// What the front door needs to judge a token whose signature holds; read before an organization
/// is known.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// `None`: nobody linked this subject to a person.
    pub known: Option<Known>,
    pub denials: Denials,
    /// The database's clock.
    pub now: OffsetDateTime,
}

/// The person behind a subject.
#[derive(Debug, Clone)]
pub struct Known {
    pub id: IdentityId,
    pub user_id: UserId,
    pub platform_role: Option<PlatformRole>,
    /// One for each organization that he belongs to.
    pub memberships: Vec<Membership>,
}

#[derive(Debug, Clone)]
pub struct Membership {
    pub org_id: OrgId,
    pub role: Role,
    pub project_roles: BTreeMap<ProjectId, ProjectRole>,
}

/// What a token names, as it says.
#[derive(Debug, Clone, Copy)]
pub struct Claimed<'a> {
    pub issuer: &'a str,
    pub subject: &'a str,
    pub key_id: &'a str,
    pub token_id: Option<&'a str>,
    pub session_id: Option<&'a str>,
}

/// Finds the person, what was revoked, and the time, in one query.
pub async fn authenticate(conn: &mut PgConnection, claimed: Claimed<'_>) -> Result<Bearer> {
    let rows = sqlx::query_as!(
        BearerRow,
        r#"select identity_id, user_id, platform_role, org_id, role,
                  project_roles as "project_roles!: sqlx::types::Json<BTreeMap<Uuid, String>>",
                  kid_denied as "kid_denied!", jti_denied as "jti_denied!",
                  sid_denied as "sid_denied!", not_before_at, now as "now!"
           from authenticate_bearer($1, $2, $3, $4, $5)"#,
        claimed.issuer,
        claimed.subject,
        claimed.key_id,
        claimed.token_id,
        claimed.session_id,
    )
    .fetch_all(conn)
    .await?;
    let first = rows.first().ok_or(Error::RowsAffected {
        expected: 1,
        actual: 0,
    })?;
    let mut bearer = Bearer {
        known: first.known(),
        denials: Denials {
            key: first.kid_denied,
            token: first.jti_denied,
            session: first.sid_denied,
            not_before: first.not_before_at.map(whole_second),
        },
        now: first.now,
    };
    if let Some(known) = &mut bearer.known {
        let memberships = rows.into_iter().filter_map(BearerRow::membership);
        known.memberships = memberships.collect::<Result<_>>()?;
    }
    Ok(bearer)
}

/// Tokens count whole seconds: one issued within the second of the bound is before it.
fn whole_second(bound: OffsetDateTime) -> i64 {
    bound.unix_timestamp() + i64::from(bound.nanosecond() > 0)
}

struct BearerRow {
    identity_id: Option<Uuid>,
    user_id: Option<Uuid>,
    platform_role: Option<String>,
    org_id: Option<Uuid>,
    role: Option<String>,
    project_roles: sqlx::types::Json<BTreeMap<Uuid, String>>,
    kid_denied: bool,
    jti_denied: bool,
    sid_denied: bool,
    not_before_at: Option<OffsetDateTime>,
    now: OffsetDateTime,
}

impl BearerRow {
    fn known(&self) -> Option<Known> {
        Some(Known {
            id: self.identity_id?.into(),
            user_id: self.user_id?.into(),
            platform_role: PlatformRole::of_row(self.platform_role.as_deref()),
            memberships: Vec::new(),
        })
    }

    fn membership(self) -> Option<Result<Membership>> {
        let member = MemberRow {
            org_id: self.org_id?,
            role: self.role?,
            project_roles: self.project_roles.0,
        };
        Some(member.membership())
    }
}

/// One organization of a person, as it is stored.
pub(crate) struct MemberRow {
    pub(crate) org_id: Uuid,
    pub(crate) role: String,
    pub(crate) project_roles: BTreeMap<Uuid, String>,
}

impl MemberRow {
    pub(crate) fn membership(self) -> Result<Membership> {
        let project_roles = self.project_roles.into_iter().map(|(project, role)| {
            let role = parse("project_members", "role", project, &role)?;
            Ok((project.into(), role))
        });
        Ok(Membership {
            org_id: self.org_id.into(),
            role: parse("memberships", "role", self.org_id, &self.role)?,
            project_roles: project_roles.collect::<Result<_>>()?,
        })
    }
}

/// A link between a subject and a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub id: IdentityId,
    pub user_id: UserId,
    /// The person's address.
    pub email: String,
    pub issuer: String,
    pub subject: String,
    /// Tokens issued before are void.
    pub not_before_at: Option<OffsetDateTime>,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// Links a subject to a person. One that is linked already is the constraint
/// `external_identities_unique`.
pub async fn insert(
    conn: &mut PgConnection,
    id: IdentityId,
    user_id: UserId,
    (issuer, subject): (&str, &str),
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "insert into external_identities (id, user_id, issuer, subject, created_by)
         values ($1, $2, $3, $4, $5)",
        id.uuid(),
        user_id.uuid(),
        issuer,
        subject,
        by.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn get(conn: &mut PgConnection, id: IdentityId) -> Result<Option<Identity>> {
    let row = sqlx::query_as!(
        Row,
        "select e.id, e.user_id, u.email, e.issuer, e.subject, e.not_before_at, e.version,
                e.created_at, e.updated_at
         from external_identities e join users u on u.id = e.user_id where e.id = $1",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// Oldest first, those after `after`; with `user_id`, that person's.
pub async fn list(
    conn: &mut PgConnection,
    user_id: Option<UserId>,
    after: Option<IdentityId>,
    limit: i64,
) -> Result<Vec<Identity>> {
    let rows = sqlx::query_as!(
        Row,
        "select e.id, e.user_id, u.email, e.issuer, e.subject, e.not_before_at, e.version,
                e.created_at, e.updated_at
         from external_identities e join users u on u.id = e.user_id
         where ($1::uuid is null or e.user_id = $1) and ($2::uuid is null or e.id > $2)
         order by e.id limit $3",
        user_id.map(UserId::uuid),
        after.map(IdentityId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Ends a link at once.
pub async fn delete(conn: &mut PgConnection, id: IdentityId) -> Result<()> {
    let done = sqlx::query!("delete from external_identities where id = $1", id.uuid())
        .execute(conn)
        .await?;
    one_row(&done)
}

/// Makes every token void that was issued up to now.
pub async fn revoke_tokens(conn: &mut PgConnection, id: IdentityId) -> Result<()> {
    let done = sqlx::query!(
        "update external_identities set not_before_at = clock_timestamp() where id = $1",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

struct Row {
    id: Uuid,
    user_id: Uuid,
    email: String,
    issuer: String,
    subject: String,
    not_before_at: Option<OffsetDateTime>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl From<Row> for Identity {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            user_id: row.user_id.into(),
            email: row.email,
            issuer: row.issuer,
            subject: row.subject,
            not_before_at: row.not_before_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
