//! People. A person may belong to several organizations.

use domain::id::UserId;
use domain::role::PlatformRole;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Result;

/// A person, as far as the transaction may see him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub display_name: String,
    /// Runs the whole installation.
    pub platform_role: Option<PlatformRole>,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// What a new person is made of.
#[derive(Debug, Clone, Copy)]
pub struct NewUser<'a> {
    pub id: UserId,
    pub email: &'a str,
    pub display_name: &'a str,
    pub platform_role: Option<PlatformRole>,
}

/// An address that is taken is the constraint `users_email_unique`.
pub async fn insert(conn: &mut PgConnection, new: NewUser<'_>) -> Result<User> {
    let row = sqlx::query_as!(
        Row,
        "insert into users (id, email, display_name, platform_role) values ($1, $2, $3, $4)
         returning id, email, display_name, platform_role, version, created_at, updated_at",
        new.id.uuid(),
        new.email,
        new.display_name,
        new.platform_role.map(<&str>::from),
    )
    .fetch_one(conn)
    .await?;
    Ok(row.into())
}

pub async fn get(conn: &mut PgConnection, id: UserId) -> Result<Option<User>> {
    let row = sqlx::query_as!(
        Row,
        "select id, email, display_name, platform_role, version, created_at, updated_at
         from users where id = $1",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// Finds a person by his address, whatever its case, as far as the transaction may see him.
pub async fn get_by_email(conn: &mut PgConnection, email: &str) -> Result<Option<User>> {
    let row = sqlx::query_as!(
        Row,
        "select id, email, display_name, platform_role, version, created_at, updated_at
         from users where lower(email) = lower($1)",
        email,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// The person of this address, whatever its case, whether the transaction sees him or not; made
/// under `fresh_id` if there is none.
pub async fn find_or_insert(
    conn: &mut PgConnection,
    fresh_id: UserId,
    email: &str,
    display_name: &str,
) -> Result<UserId> {
    let id = sqlx::query_scalar!(
        r#"select find_or_insert_user($1, $2, $3) as "id!""#,
        fresh_id.uuid(),
        email,
        display_name,
    )
    .fetch_one(conn)
    .await?;
    Ok(id.into())
}

struct Row {
    id: Uuid,
    email: String,
    display_name: String,
    platform_role: Option<String>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            email: row.email,
            display_name: row.display_name,
            platform_role: PlatformRole::of_row(row.platform_role.as_deref()),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
