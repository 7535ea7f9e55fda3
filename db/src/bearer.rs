//! What of a provider's tokens was revoked here. Read with every token by
//! [`crate::identity::authenticate`], so that it holds on every replica from its commit on.

use sqlx::PgConnection;
use strum::IntoStaticStr;
use time::OffsetDateTime;

use crate::error::Result;

/// What can be denied by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// A signing key.
    Kid,
    /// One token.
    Jti,
    /// One session at the provider.
    Sid,
}

/// Denies these; denying again changes nothing.
pub async fn deny(
    conn: &mut PgConnection,
    issuer: &str,
    kind: Kind,
    values: &[String],
) -> Result<()> {
    sqlx::query!(
        "insert into bearer_denials (issuer, kind, value)
         select $1, $2, value from unnest($3::text[]) as value
         on conflict on constraint bearer_denials_pkey do nothing",
        issuer,
        <&str>::from(kind),
        values,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes tokens void that were issued before; an earlier bound than there is changes nothing.
pub async fn set_not_before(
    conn: &mut PgConnection,
    issuer: &str,
    not_before_at: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "insert into bearer_bounds (issuer, not_before_at) values ($1, $2)
         on conflict on constraint bearer_bounds_pkey do update
         set not_before_at = greatest(bearer_bounds.not_before_at, excluded.not_before_at),
             updated_at = clock_timestamp()",
        issuer,
        not_before_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
