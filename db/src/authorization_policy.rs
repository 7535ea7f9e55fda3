//! Rules that operators add to the built-in ones: Cedar texts, one a row.

use domain::id::{AuthorizationPolicyId, OrgId, UserId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, one_row};

/// A rule that was not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationPolicy {
    pub id: AuthorizationPolicyId,
    /// Whose requests it is about; `None`: everybody's.
    pub org_id: Option<OrgId>,
    pub name: String,
    /// One Cedar policy.
    pub policy: String,
    pub updated_by: Option<UserId>,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// What a new rule is made of.
#[derive(Debug, Clone, Copy)]
pub struct NewAuthorizationPolicy<'a> {
    pub id: AuthorizationPolicyId,
    pub org_id: Option<OrgId>,
    pub name: &'a str,
    pub policy: &'a str,
    pub by: UserId,
}

/// A name that is taken is the constraint `authorization_policies_name_unique`.
pub async fn insert(
    conn: &mut PgConnection,
    new: NewAuthorizationPolicy<'_>,
) -> Result<AuthorizationPolicy> {
    let row = sqlx::query_as!(
        Row,
        "insert into authorization_policies (id, org_id, name, policy, updated_by)
         values ($1, $2, $3, $4, $5)
         returning id, org_id, name, policy, updated_by, version, created_at, updated_at",
        new.id.uuid(),
        new.org_id.map(OrgId::uuid),
        new.name,
        new.policy,
        new.by.uuid(),
    )
    .fetch_one(conn)
    .await?;
    Ok(row.into())
}

pub async fn get(
    conn: &mut PgConnection,
    id: AuthorizationPolicyId,
) -> Result<Option<AuthorizationPolicy>> {
    let row = sqlx::query_as!(
        Row,
        "select id, org_id, name, policy, updated_by, version, created_at, updated_at
         from authorization_policies where id = $1 and deleted_at is null",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// Reads a rule and keeps it from changing until the transaction ends.
pub async fn lock(
    conn: &mut PgConnection,
    id: AuthorizationPolicyId,
) -> Result<Option<AuthorizationPolicy>> {
    let row = sqlx::query_as!(
        Row,
        "select id, org_id, name, policy, updated_by, version, created_at, updated_at
         from authorization_policies where id = $1 and deleted_at is null for update",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// Oldest first, those after `after`; of one organization, or all.
pub async fn list(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    after: Option<AuthorizationPolicyId>,
    limit: i64,
) -> Result<Vec<AuthorizationPolicy>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, org_id, name, policy, updated_by, version, created_at, updated_at
         from authorization_policies
         where deleted_at is null and ($1::uuid is null or org_id = $1)
           and ($2::uuid is null or id > $2)
         order by id limit $3",
        org.map(OrgId::uuid),
        after.map(AuthorizationPolicyId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Every rule that holds: those of deleted organizations do not.
pub async fn all(conn: &mut PgConnection) -> Result<Vec<AuthorizationPolicy>> {
    let rows = sqlx::query_as!(
        Row,
        "select p.id, p.org_id, p.name, p.policy, p.updated_by, p.version, p.created_at, p.updated_at
         from authorization_policies p left join organizations o on o.id = p.org_id
         where p.deleted_at is null and o.deleted_at is null order by p.id",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// How many there are in a scope. Two callers at once count one after the other.
pub async fn count(conn: &mut PgConnection, org: Option<OrgId>) -> Result<i64> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('authorization_policies', 0))")
        .fetch_one(&mut *conn)
        .await?;
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from authorization_policies
           where deleted_at is null and org_id is not distinct from $1::uuid"#,
        org.map(OrgId::uuid) as Option<Uuid>,
    )
    .fetch_one(conn)
    .await?)
}

/// Changes what is given and leaves what is not.
pub async fn update(
    conn: &mut PgConnection,
    id: AuthorizationPolicyId,
    name: Option<&str>,
    policy: Option<&str>,
    by: UserId,
) -> Result<AuthorizationPolicy> {
    let row = sqlx::query_as!(
        Row,
        "update authorization_policies
         set name = coalesce($2, name), policy = coalesce($3, policy), updated_by = $4
         where id = $1 and deleted_at is null
         returning id, org_id, name, policy, updated_by, version, created_at, updated_at",
        id.uuid(),
        name,
        policy,
        by.uuid(),
    )
    .fetch_one(conn)
    .await?;
    Ok(row.into())
}

/// Takes a rule out of force; its history stays.
pub async fn delete(conn: &mut PgConnection, id: AuthorizationPolicyId, by: UserId) -> Result<()> {
    let done = sqlx::query!(
        "update authorization_policies set deleted_at = clock_timestamp(), updated_by = $2
         where id = $1 and deleted_at is null",
        id.uuid(),
        by.uuid(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    name: String,
    policy: String,
    updated_by: Option<Uuid>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl From<Row> for AuthorizationPolicy {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            org_id: row.org_id.map(Into::into),
            name: row.name,
            policy: row.policy,
            updated_by: row.updated_by.map(Into::into),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
