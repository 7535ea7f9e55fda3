//! API keys. The secret is never here, only its SHA-256.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use domain::api_key::Scope;
use domain::id::{ApiKeyId, OrgId, ProjectId, UserId};
use domain::role::{PlatformRole, ProjectRole, Role};
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
    pub platform_role: Option<PlatformRole>,
    pub scopes: BTreeSet<Scope>,
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
                  platform_role, stale_use as "stale_use!", now as "now!", scopes as "scopes!"
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
            scopes: scopes(row.id, &row.scopes)?,
            platform_role: PlatformRole::of_row(row.platform_role.as_deref()),
            stale_use: row.stale_use,
            now: row.now,
        })
    })
    .transpose()
}

/// Notes that a key was used and from where, once a minute at most (AK-06).
pub async fn touch(conn: &mut PgConnection, id: ApiKeyId, from: IpAddr) -> Result<()> {
    sqlx::query!("select touch_api_key($1, $2)", id.uuid(), from.to_string())
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// Makes sure that nobody else gives this person a key until the transaction ends, so that a count
/// of them stays true.
pub async fn lock_person(conn: &mut PgConnection, org: OrgId, user: UserId) -> Result<()> {
    sqlx::query!(
        "select 1 as one from memberships where org_id = $1 and user_id = $2 for no key update",
        org.uuid(),
        user.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}

fn scopes(key: Uuid, names: &[String]) -> Result<BTreeSet<Scope>> {
    names
        .iter()
        .map(|name| parse("api_keys", "scopes", key, name))
        .collect()
}

/// A key as people see it: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub org_id: OrgId,
    pub user_id: UserId,
    pub name: String,
    pub public_id: String,
    pub expires_at: OffsetDateTime,
    /// Until when the secret before the last rotation is good.
    pub previous_expires_at: Option<OffsetDateTime>,
    pub revoked_at: Option<OffsetDateTime>,
    pub last_used_at: Option<OffsetDateTime>,
    pub last_used_ip: Option<String>,
    pub scopes: BTreeSet<Scope>,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// What a new key is made of.
#[derive(Debug, Clone, Copy)]
pub struct NewApiKey<'a> {
    pub id: ApiKeyId,
    pub org_id: OrgId,
    /// The person in whose name it acts; a member of the organization.
    pub user_id: UserId,
    pub name: &'a str,
    pub public_id: &'a str,
    pub secret_sha256: [u8; 32],
    pub lifetime_seconds: i64,
    pub scopes: &'a BTreeSet<Scope>,
}

pub async fn insert(conn: &mut PgConnection, new: NewApiKey<'_>) -> Result<ApiKey> {
    let names = new
        .scopes
        .iter()
        .map(|scope| <&'static str>::from(scope).to_owned());
    let scopes: Vec<String> = names.collect();
    let row = sqlx::query_as!(
        Row,
        "insert into api_keys (id, org_id, user_id, name, public_id, secret_sha256, expires_at, scopes)
         values ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7::bigint::double precision), $8)
         returning id, org_id, user_id, name, public_id, expires_at, previous_expires_at,
                   revoked_at, last_used_at, host(last_used_ip) as last_used_ip, scopes, version, created_at, updated_at",
        new.id.uuid(),
        new.org_id.uuid(),
        new.user_id.uuid(),
        new.name,
        new.public_id,
        &new.secret_sha256[..],
        new.lifetime_seconds,
        &scopes[..],
    )
    .fetch_one(conn)
    .await?;
    row.try_into()
}

pub async fn get(conn: &mut PgConnection, id: ApiKeyId) -> Result<Option<ApiKey>> {
    let row = sqlx::query_as!(
        Row,
        "select id, org_id, user_id, name, public_id, expires_at, previous_expires_at,
                revoked_at, last_used_at, host(last_used_ip) as last_used_ip, scopes, version, created_at, updated_at
         from api_keys where id = $1",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Reads a key and keeps it from changing until the transaction ends.
pub async fn lock(conn: &mut PgConnection, id: ApiKeyId) -> Result<Option<ApiKey>> {
    let row = sqlx::query_as!(
        Row,
        "select id, org_id, user_id, name, public_id, expires_at, previous_expires_at,
                revoked_at, last_used_at, host(last_used_ip) as last_used_ip, scopes, version, created_at, updated_at
         from api_keys where id = $1 for update",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Oldest first, those after `after`, revoked and expired ones too; with `user_id`, that person's.
pub async fn list(
    conn: &mut PgConnection,
    user_id: Option<UserId>,
    after: Option<ApiKeyId>,
    limit: i64,
) -> Result<Vec<ApiKey>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, org_id, user_id, name, public_id, expires_at, previous_expires_at,
                revoked_at, last_used_at, host(last_used_ip) as last_used_ip, scopes, version, created_at, updated_at
         from api_keys
         where ($1::uuid is null or user_id = $1) and ($2::uuid is null or id > $2)
         order by id limit $3",
        user_id.map(UserId::uuid),
        after.map(ApiKeyId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// How many keys of a person open something in the organization, one of them left out.
pub async fn count_live(
    conn: &mut PgConnection,
    user_id: UserId,
    besides: Option<ApiKeyId>,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from api_keys
           where user_id = $1 and revoked_at is null and expires_at > clock_timestamp()
             and id is distinct from $2"#,
        user_id.uuid(),
        besides.map(ApiKeyId::uuid),
    )
    .fetch_one(conn)
    .await?)
}

/// Gives a key a new secret; the old one opens for `overlap_seconds` more, and one that was
/// overlapping already does no longer. The new secret lives `lifetime_seconds`.
pub async fn rotate(
    conn: &mut PgConnection,
    id: ApiKeyId,
    secret_sha256: [u8; 32],
    overlap_seconds: i64,
    lifetime_seconds: i64,
) -> Result<ApiKey> {
    let row = sqlx::query_as!(
        Row,
        "update api_keys
         set previous_secret_sha256 = secret_sha256, secret_sha256 = $2,
             previous_expires_at = least(expires_at, clock_timestamp() + make_interval(secs => $3::bigint::double precision)),
             expires_at = clock_timestamp() + make_interval(secs => $4::bigint::double precision)
         where id = $1 and revoked_at is null
         returning id, org_id, user_id, name, public_id, expires_at, previous_expires_at,
                   revoked_at, last_used_at, host(last_used_ip) as last_used_ip, scopes, version, created_at, updated_at",
        id.uuid(),
        &secret_sha256[..],
        overlap_seconds,
        lifetime_seconds,
    )
    .fetch_one(conn)
    .await?;
    row.try_into()
}

/// Ends a key at once; ending it again changes nothing.
pub async fn revoke(conn: &mut PgConnection, id: ApiKeyId) -> Result<()> {
    sqlx::query!(
        "update api_keys set revoked_at = clock_timestamp() where id = $1 and revoked_at is null",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

struct Row {
    id: Uuid,
    org_id: Uuid,
    user_id: Uuid,
    name: String,
    public_id: String,
    expires_at: OffsetDateTime,
    previous_expires_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
    last_used_at: Option<OffsetDateTime>,
    last_used_ip: Option<String>,
    scopes: Vec<String>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<Row> for ApiKey {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            org_id: row.org_id.into(),
            user_id: row.user_id.into(),
            name: row.name,
            public_id: row.public_id,
            expires_at: row.expires_at,
            previous_expires_at: row.previous_expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            last_used_ip: row.last_used_ip,
            scopes: scopes(row.id, &row.scopes)?,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}
