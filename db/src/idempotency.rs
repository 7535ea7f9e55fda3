//! Idempotency records: which call made which change. They hold no answer.

use domain::id::OrgId;
use sqlx::PgConnection;

use crate::error::{Result, one_row};

/// How long a record answers for its key, in seconds: 30 days.
pub const KEPT_SECONDS: f64 = 30.0 * 86_400.0;

/// What a key is unique in (IDM-02): the same key of another person, organization or route is
/// another key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    pub org_id: OrgId,
    pub principal: String,
    pub method: String,
    /// The route's template, not the path.
    pub route: String,
    pub key: String,
}

/// What a finished call left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub fingerprint: [u8; 32],
    /// HTTP status of the first answer.
    pub status: i32,
    pub resource_kind: String,
    pub resource_id: String,
}

/// Tries to become the only transaction that works on this key; held until the transaction ends.
pub async fn try_lock(conn: &mut PgConnection, scope: &Scope) -> Result<bool> {
    let text = format!(
        "{}\n{}\n{}\n{}\n{}",
        scope.org_id, scope.principal, scope.method, scope.route, scope.key
    );
    let locked = sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as "locked!""#,
        text,
    )
    .fetch_one(conn)
    .await?;
    Ok(locked)
}

/// The record of a key, unless its time is over.
pub async fn get(conn: &mut PgConnection, scope: &Scope) -> Result<Option<Record>> {
    let row = sqlx::query!(
        "select fingerprint, status, resource_kind, resource_id from idempotency_keys
         where org_id = $1 and principal = $2 and method = $3 and route = $4 and key = $5
           and expires_at > clock_timestamp()",
        scope.org_id.uuid(),
        scope.principal,
        scope.method,
        scope.route,
        scope.key,
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Record {
            fingerprint: row
                .fingerprint
                .try_into()
                .map_err(|_| crate::Error::Inconsistent {
                    table: "idempotency_keys",
                    column: "fingerprint",
                    row: scope.key.clone(),
                })?,
            status: row.status,
            resource_kind: row.resource_kind,
            resource_id: row.resource_id,
        })
    })
    .transpose()
}

/// Writes the record in the transaction of the change. A record whose time is over is replaced.
pub async fn insert(conn: &mut PgConnection, scope: &Scope, record: &Record) -> Result<()> {
    let done = sqlx::query!(
        "insert into idempotency_keys
           (org_id, principal, method, route, key, fingerprint, status, resource_kind, resource_id, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp() + make_interval(secs => $10))
         on conflict on constraint idempotency_keys_pkey do update
         set fingerprint = excluded.fingerprint, status = excluded.status,
             resource_kind = excluded.resource_kind, resource_id = excluded.resource_id,
             created_at = clock_timestamp(), expires_at = excluded.expires_at
         where idempotency_keys.expires_at <= clock_timestamp()",
        scope.org_id.uuid(),
        scope.principal,
        scope.method,
        scope.route,
        scope.key,
        &record.fingerprint[..],
        record.status,
        record.resource_kind,
        record.resource_id,
        KEPT_SECONDS,
    )
    .execute(conn)
    .await?;
    one_row(&done)
}
