//! Who works in a project, and as what. Only members of the organization can.

use domain::id::{OrgId, ProjectId, UserId};
use domain::role::ProjectRole;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Error, Result, one_row, parse};

/// A person's place in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectMember {
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub email: String,
    pub display_name: String,
    pub role: ProjectRole,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// One who is a member already is the constraint `project_members_pkey`; one who does not belong
/// to the organization is `project_members_membership_fkey`.
pub async fn insert(
    conn: &mut PgConnection,
    org_id: OrgId,
    project_id: ProjectId,
    user_id: UserId,
    role: ProjectRole,
) -> Result<()> {
    sqlx::query!(
        "insert into project_members (project_id, user_id, org_id, role) values ($1, $2, $3, $4)",
        project_id.uuid(),
        user_id.uuid(),
        org_id.uuid(),
        role.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn get(
    conn: &mut PgConnection,
    project_id: ProjectId,
    user_id: UserId,
) -> Result<Option<ProjectMember>> {
    let row = sqlx::query_as!(
        Row,
        "select m.project_id, m.user_id, u.email, u.display_name, m.role, m.version,
                m.created_at, m.updated_at
         from project_members m join users u on u.id = m.user_id
         where m.project_id = $1 and m.user_id = $2",
        project_id.uuid(),
        user_id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Keeps a member's row from changing until the transaction ends; its version.
pub async fn lock(
    conn: &mut PgConnection,
    project_id: ProjectId,
    user_id: UserId,
) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!(
        "select version from project_members where project_id = $1 and user_id = $2 for update",
        project_id.uuid(),
        user_id.uuid(),
    )
    .fetch_optional(conn)
    .await?)
}

/// By user id, those after `after`.
pub async fn list(
    conn: &mut PgConnection,
    project_id: ProjectId,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<ProjectMember>> {
    let rows = sqlx::query_as!(
        Row,
        "select m.project_id, m.user_id, u.email, u.display_name, m.role, m.version,
                m.created_at, m.updated_at
         from project_members m join users u on u.id = m.user_id
         where m.project_id = $1 and ($2::uuid is null or m.user_id > $2)
         order by m.user_id limit $3",
        project_id.uuid(),
        after.map(UserId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

pub async fn set_role(
    conn: &mut PgConnection,
    project_id: ProjectId,
    user_id: UserId,
    role: ProjectRole,
) -> Result<()> {
    let done = sqlx::query!(
        "update project_members set role = $3 where project_id = $1 and user_id = $2",
        project_id.uuid(),
        user_id.uuid(),
        role.as_str(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

pub async fn delete(conn: &mut PgConnection, project_id: ProjectId, user_id: UserId) -> Result<()> {
    let done = sqlx::query!(
        "delete from project_members where project_id = $1 and user_id = $2",
        project_id.uuid(),
        user_id.uuid(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

struct Row {
    project_id: Uuid,
    user_id: Uuid,
    email: String,
    display_name: String,
    role: String,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<Row> for ProjectMember {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            project_id: row.project_id.into(),
            user_id: row.user_id.into(),
            email: row.email,
            display_name: row.display_name,
            role: parse("project_members", "role", row.user_id, &row.role)?,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}
