//! Who belongs to an organization, and as what.

use domain::id::{OrgId, UserId};
use domain::role::Role;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Error, Result, one_row, parse};

/// A person's place in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub org_id: OrgId,
    pub user_id: UserId,
    pub email: String,
    pub display_name: String,
    pub role: Role,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// Makes a person a member. One who is a member already is the constraint `memberships_pkey`.
pub async fn insert(
    conn: &mut PgConnection,
    org_id: OrgId,
    user_id: UserId,
    role: Role,
) -> Result<()> {
    sqlx::query!(
        "insert into memberships (org_id, user_id, role) values ($1, $2, $3)",
        org_id.uuid(),
        user_id.uuid(),
        role.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// `None`: the person does not belong to the organization.
pub async fn get(
    conn: &mut PgConnection,
    org_id: OrgId,
    user_id: UserId,
) -> Result<Option<Membership>> {
    let row = sqlx::query_as!(
        Row,
        "select m.org_id, m.user_id, u.email, u.display_name, m.role, m.version,
                m.created_at, m.updated_at
         from memberships m join users u on u.id = m.user_id
         where m.org_id = $1 and m.user_id = $2",
        org_id.uuid(),
        user_id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// By user id, those after `after`.
pub async fn list(
    conn: &mut PgConnection,
    org_id: OrgId,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<Membership>> {
    let rows = sqlx::query_as!(
        Row,
        "select m.org_id, m.user_id, u.email, u.display_name, m.role, m.version,
                m.created_at, m.updated_at
         from memberships m join users u on u.id = m.user_id
         where m.org_id = $1 and ($2::uuid is null or m.user_id > $2)
         order by m.user_id limit $3",
        org_id.uuid(),
        after.map(UserId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Whether the organization has an owner beside this person. Holds only while the caller keeps the
/// organization locked.
pub async fn has_other_owner(
    conn: &mut PgConnection,
    org_id: OrgId,
    user_id: UserId,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from memberships
           where org_id = $1 and user_id <> $2 and role = 'owner') as "other!""#,
        org_id.uuid(),
        user_id.uuid(),
    )
    .fetch_one(conn)
    .await?)
}

pub async fn set_role(
    conn: &mut PgConnection,
    org_id: OrgId,
    user_id: UserId,
    role: Role,
) -> Result<()> {
    let done = sqlx::query!(
        "update memberships set role = $3 where org_id = $1 and user_id = $2",
        org_id.uuid(),
        user_id.uuid(),
        role.as_str(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Ends a membership; roles in the organization's projects go with it, and keys of the person in
/// this organization open nothing from now on.
pub async fn delete(conn: &mut PgConnection, org_id: OrgId, user_id: UserId) -> Result<()> {
    let done = sqlx::query!(
        "delete from memberships where org_id = $1 and user_id = $2",
        org_id.uuid(),
        user_id.uuid(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

struct Row {
    org_id: Uuid,
    user_id: Uuid,
    email: String,
    display_name: String,
    role: String,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<Row> for Membership {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            org_id: row.org_id.into(),
            user_id: row.user_id.into(),
            email: row.email,
            display_name: row.display_name,
            role: parse("memberships", "role", row.user_id, &row.role)?,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}
