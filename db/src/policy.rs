//! Values of policies: rows that override the defaults of `domain::policy`.

use domain::id::{OrgId, ProjectId, UserId};
use domain::policy::{Policy, Scope};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Error, Result};

/// One override.
#[derive(Debug, Clone)]
pub struct PolicyValue {
    pub value: i64,
    pub version: i64,
    pub updated_by: Option<UserId>,
    pub updated_at: OffsetDateTime,
}

/// Whose an override is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    Platform,
    Organization(OrgId),
    Project(ProjectId),
}

/// One override, as whoever holds a copy of all of them reads it.
#[derive(Debug, Clone)]
pub struct Override {
    pub key: String,
    pub place: Place,
    /// As it is stored: its reader judges it.
    pub value: Value,
}

/// The version of all that policies say; it grows with every change.
pub async fn version(conn: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar!("select version from policy_state")
        .fetch_one(conn)
        .await?)
}

/// Opens a transaction in which everything read is of one instant, of every organization.
pub async fn instant(pool: &PgPool) -> Result<Transaction<'static, Postgres>> {
    let mut tx = pool
        .begin_with("begin isolation level repeatable read read only")
        .await?;
    sqlx::query!("select set_config('berth.platform', 'on', true)")
        .fetch_one(&mut *tx)
        .await?;
    Ok(tx)
}

/// Every override there is.
pub async fn all(conn: &mut PgConnection) -> Result<Vec<Override>> {
    let rows = sqlx::query!("select key, scope_kind, scope_id, value from policy_values")
        .fetch_all(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| Override {
            key: row.key,
            place: match row.scope_kind.as_str() {
                "organization" => Place::Organization(row.scope_id.into()),
                "project" => Place::Project(row.scope_id.into()),
                _ => Place::Platform,
            },
            value: row.value,
        })
        .collect())
}

/// The value that holds for a scope: project beats organization beats platform beats default.
pub async fn resolve(conn: &mut PgConnection, policy: &Policy, scope: Scope) -> Result<i64> {
    let (org, project) = match scope {
        Scope::Platform => (None, None),
        Scope::Organization(org) => (Some(org.uuid()), None),
        Scope::Project(org, project) => (Some(org.uuid()), Some(project.uuid())),
    };
    let value = sqlx::query_scalar!(
        "select value from policy_values
         where key = $1 and (scope_kind = 'platform'
           or (scope_kind = 'organization' and scope_id = $2)
           or (scope_kind = 'project' and scope_id = $3))
         order by array_position(array['project', 'organization', 'platform'], scope_kind)
         limit 1",
        policy.key,
        org,
        project,
    )
    .fetch_optional(conn)
    .await?;
    value.map_or(Ok(policy.default), |value| read(policy, &value))
}

/// The override of exactly this scope, if there is one.
pub async fn get(
    conn: &mut PgConnection,
    policy: &Policy,
    scope: Scope,
) -> Result<Option<PolicyValue>> {
    let (kind, id) = columns(scope);
    let row = sqlx::query!(
        "select value, version, updated_by, updated_at from policy_values
         where key = $1 and scope_kind = $2 and scope_id = $3",
        policy.key,
        kind,
        id,
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(PolicyValue {
            value: read(policy, &row.value)?,
            version: row.version,
            updated_by: row.updated_by.map(UserId::from),
            updated_at: row.updated_at,
        })
    })
    .transpose()
}

/// Writes an override whose value `Policy::parse` accepted; the answer is its version. `None`:
/// it is not at `expected_version` (0: not there yet).
pub async fn put(
    conn: &mut PgConnection,
    policy: &Policy,
    scope: Scope,
    value: i64,
    by: Option<UserId>,
    expected_version: Option<i64>,
) -> Result<Option<i64>> {
    let (kind, id) = columns(scope);
    Ok(sqlx::query_scalar!(
        "insert into policy_values (key, scope_kind, scope_id, value, updated_by)
         select $1, $2, $3, $4, $5
         where coalesce($6::bigint, 0) = 0 or exists (
           select from policy_values where key = $1 and scope_kind = $2 and scope_id = $3)
         on conflict on constraint policy_values_pkey do update
         set value = excluded.value, updated_by = excluded.updated_by
         where $6 is null or policy_values.version = $6
         returning version",
        policy.key,
        kind,
        id,
        Value::from(value),
        by.map(UserId::uuid),
        expected_version,
    )
    .fetch_optional(conn)
    .await?)
}

fn columns(scope: Scope) -> (&'static str, Uuid) {
    match scope {
        Scope::Platform => ("platform", Uuid::nil()),
        Scope::Organization(org) => ("organization", org.uuid()),
        Scope::Project(_, project) => ("project", project.uuid()),
    }
}

fn read(policy: &Policy, value: &Value) -> Result<i64> {
    policy.parse(value).map_err(|_| Error::Inconsistent {
        table: "policy_values",
        column: "value",
        row: policy.key.to_owned(),
    })
}
