//! Tenants' public SSH keys. There is no column for a private one.

use domain::id::{OrgId, SshKeyId, UserId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, one_row};

/// A key that was not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKey {
    pub id: SshKeyId,
    pub org_id: OrgId,
    pub user_id: UserId,
    pub name: String,
    pub algorithm: String,
    /// Our own serialisation: type and data, without comment or options.
    pub public_key: String,
    pub fingerprint_sha256: String,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// What a new key is made of, already parsed and judged.
#[derive(Debug, Clone, Copy)]
pub struct NewSshKey<'a> {
    pub id: SshKeyId,
    pub org_id: OrgId,
    pub user_id: UserId,
    pub name: &'a str,
    pub algorithm: &'a str,
    pub public_key: &'a str,
    pub fingerprint_sha256: &'a str,
}

/// A key that the organization has already is the constraint `ssh_keys_fingerprint_unique`.
pub async fn insert(conn: &mut PgConnection, new: NewSshKey<'_>) -> Result<SshKey> {
    let row = sqlx::query_as!(
        Row,
        "insert into ssh_keys (id, org_id, user_id, name, algorithm, public_key, fingerprint_sha256)
         values ($1, $2, $3, $4, $5, $6, $7)
         returning id, org_id, user_id, name, algorithm, public_key, fingerprint_sha256, version,
                   created_at, updated_at",
        new.id.uuid(),
        new.org_id.uuid(),
        new.user_id.uuid(),
        new.name,
        new.algorithm,
        new.public_key,
        new.fingerprint_sha256,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.into())
}

pub async fn get(conn: &mut PgConnection, id: SshKeyId) -> Result<Option<SshKey>> {
    let row = sqlx::query_as!(
        Row,
        "select id, org_id, user_id, name, algorithm, public_key, fingerprint_sha256, version,
                created_at, updated_at
         from ssh_keys where id = $1 and deleted_at is null",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// Reads a key and keeps it from changing until the transaction ends.
pub async fn lock(conn: &mut PgConnection, id: SshKeyId) -> Result<Option<SshKey>> {
    let row = sqlx::query_as!(
        Row,
        "select id, org_id, user_id, name, algorithm, public_key, fingerprint_sha256, version,
                created_at, updated_at
         from ssh_keys where id = $1 and deleted_at is null for update",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// Oldest first, those after `after`.
pub async fn list(
    conn: &mut PgConnection,
    after: Option<SshKeyId>,
    limit: i64,
) -> Result<Vec<SshKey>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, org_id, user_id, name, algorithm, public_key, fingerprint_sha256, version,
                created_at, updated_at
         from ssh_keys where deleted_at is null and ($1::uuid is null or id > $1)
         order by id limit $2",
        after.map(SshKeyId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub async fn rename(conn: &mut PgConnection, id: SshKeyId, name: &str) -> Result<SshKey> {
    let row = sqlx::query_as!(
        Row,
        "update ssh_keys set name = $2 where id = $1 and deleted_at is null
         returning id, org_id, user_id, name, algorithm, public_key, fingerprint_sha256, version,
                   created_at, updated_at",
        id.uuid(),
        name,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.into())
}

/// Marks a key as deleted: no further allocation takes it; those that have it keep it.
pub async fn delete(conn: &mut PgConnection, id: SshKeyId) -> Result<()> {
    let done = sqlx::query!(
        "update ssh_keys set deleted_at = clock_timestamp() where id = $1 and deleted_at is null",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

struct Row {
    id: Uuid,
    org_id: Uuid,
    user_id: Uuid,
    name: String,
    algorithm: String,
    public_key: String,
    fingerprint_sha256: String,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl From<Row> for SshKey {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            org_id: row.org_id.into(),
            user_id: row.user_id.into(),
            name: row.name,
            algorithm: row.algorithm,
            public_key: row.public_key,
            fingerprint_sha256: row.fingerprint_sha256,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
