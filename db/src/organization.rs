//! Organizations: the tenants.

use domain::id::OrgId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, one_row};

/// An organization that was not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    pub id: OrgId,
    pub name: String,
    pub slug: String,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// A slug that is taken is the constraint `organizations_slug_unique`.
pub async fn insert(
    conn: &mut PgConnection,
    id: OrgId,
    name: &str,
    slug: &str,
) -> Result<Organization> {
    let row = sqlx::query_as!(
        Row,
        "insert into organizations (id, name, slug) values ($1, $2, $3)
         returning id, name, slug, version, created_at, updated_at",
        id.uuid(),
        name,
        slug,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.into())
}

pub async fn get(conn: &mut PgConnection, id: OrgId) -> Result<Option<Organization>> {
    let row = sqlx::query_as!(
        Row,
        "select id, name, slug, version, created_at, updated_at
         from organizations where id = $1 and deleted_at is null",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// Reads an organization and keeps it from changing until the transaction ends.
pub async fn lock(conn: &mut PgConnection, id: OrgId) -> Result<Option<Organization>> {
    let row = sqlx::query_as!(
        Row,
        "select id, name, slug, version, created_at, updated_at
         from organizations where id = $1 and deleted_at is null for update",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// Oldest first, those after `after`, of those that the transaction sees.
pub async fn list(
    conn: &mut PgConnection,
    after: Option<OrgId>,
    limit: i64,
) -> Result<Vec<Organization>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, name, slug, version, created_at, updated_at
         from organizations where deleted_at is null and ($1::uuid is null or id > $1)
         order by id limit $2",
        after.map(OrgId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Changes what is given and leaves what is not.
pub async fn update(
    conn: &mut PgConnection,
    id: OrgId,
    name: Option<&str>,
    slug: Option<&str>,
) -> Result<Organization> {
    let row = sqlx::query_as!(
        Row,
        "update organizations set name = coalesce($2, name), slug = coalesce($3, slug)
         where id = $1 and deleted_at is null
         returning id, name, slug, version, created_at, updated_at",
        id.uuid(),
        name,
        slug,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.into())
}

/// Marks an organization as deleted: its keys open nothing from now on, its rows stay for bills
/// and audits.
pub async fn delete(conn: &mut PgConnection, id: OrgId) -> Result<()> {
    let done = sqlx::query!(
        "update organizations set deleted_at = clock_timestamp()
         where id = $1 and deleted_at is null",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Whether an allocation of the organization still holds or may come to hold GPUs.
pub async fn in_use(conn: &mut PgConnection, id: OrgId) -> Result<bool> {
    let used = sqlx::query_scalar!(
        r#"select exists (select from allocations
           where org_id = $1 and state not in ('released', 'failed')) as "used!""#,
        id.uuid(),
    )
    .fetch_one(conn)
    .await?;
    Ok(used)
}

struct Row {
    id: Uuid,
    name: String,
    slug: String,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl From<Row> for Organization {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            slug: row.slug,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
