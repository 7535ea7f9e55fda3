//! Projects: where allocations live inside an organization.

use domain::id::{OrgId, ProjectId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, one_row};

/// A project that was not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    pub id: ProjectId,
    pub org_id: OrgId,
    pub name: String,
    pub description: String,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// What a new project is made of.
#[derive(Debug, Clone, Copy)]
pub struct NewProject<'a> {
    pub id: ProjectId,
    pub org_id: OrgId,
    pub name: &'a str,
    pub description: &'a str,
}

/// A name that is taken is the constraint `projects_name_unique`.
pub async fn insert(conn: &mut PgConnection, new: NewProject<'_>) -> Result<Project> {
    let row = sqlx::query_as!(
        Row,
        "insert into projects (id, org_id, name, description) values ($1, $2, $3, $4)
         returning id, org_id, name, description, version, created_at, updated_at",
        new.id.uuid(),
        new.org_id.uuid(),
        new.name,
        new.description,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.into())
}

pub async fn get(conn: &mut PgConnection, id: ProjectId) -> Result<Option<Project>> {
    let row = sqlx::query_as!(
        Row,
        "select id, org_id, name, description, version, created_at, updated_at
         from projects where id = $1 and deleted_at is null",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// Reads a project and keeps it from changing until the transaction ends.
pub async fn lock(conn: &mut PgConnection, id: ProjectId) -> Result<Option<Project>> {
    let row = sqlx::query_as!(
        Row,
        "select id, org_id, name, description, version, created_at, updated_at
         from projects where id = $1 and deleted_at is null for update",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// Oldest first, those after `after`.
pub async fn list(
    conn: &mut PgConnection,
    after: Option<ProjectId>,
    limit: i64,
) -> Result<Vec<Project>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, org_id, name, description, version, created_at, updated_at
         from projects where deleted_at is null and ($1::uuid is null or id > $1)
         order by id limit $2",
        after.map(ProjectId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Changes what is given and leaves what is not.
pub async fn update(
    conn: &mut PgConnection,
    id: ProjectId,
    name: Option<&str>,
    description: Option<&str>,
) -> Result<Project> {
    let row = sqlx::query_as!(
        Row,
        "update projects set name = coalesce($2, name), description = coalesce($3, description)
         where id = $1 and deleted_at is null
         returning id, org_id, name, description, version, created_at, updated_at",
        id.uuid(),
        name,
        description,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.into())
}

/// Marks a project as deleted; its rows stay for bills and audits.
pub async fn delete(conn: &mut PgConnection, id: ProjectId) -> Result<()> {
    let done = sqlx::query!(
        "update projects set deleted_at = clock_timestamp() where id = $1 and deleted_at is null",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Whether an allocation of the project still holds or may come to hold GPUs.
pub async fn in_use(conn: &mut PgConnection, id: ProjectId) -> Result<bool> {
    let used = sqlx::query_scalar!(
        r#"select exists (select from allocations
           where project_id = $1 and state not in ('released', 'failed')) as "used!""#,
        id.uuid(),
    )
    .fetch_one(conn)
    .await?;
    Ok(used)
}

struct Row {
    id: Uuid,
    org_id: Uuid,
    name: String,
    description: String,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl From<Row> for Project {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            org_id: row.org_id.into(),
            name: row.name,
            description: row.description,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
