//! Whose rows a transaction of the API may see. Row-level security reads what is set here; a
//! transaction without a scope sees no tenant's row.

use domain::id::OrgId;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use crate::error::Result;

/// Opens a transaction that sees one organization.
pub async fn organization(pool: &PgPool, org: OrgId) -> Result<Transaction<'static, Postgres>> {
    let mut tx = pool.begin().await?;
    set_organization(&mut tx, org).await?;
    Ok(tx)
}

/// Narrows a transaction that was opened without a scope to one organization.
pub async fn set_organization(conn: &mut PgConnection, org: OrgId) -> Result<()> {
    sqlx::query!(
        "select set_config('berth.org_id', $1, true)",
        org.uuid().to_string()
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Opens a transaction that sees every organization: platform operators only.
pub async fn platform(pool: &PgPool) -> Result<Transaction<'static, Postgres>> {
    let mut tx = pool.begin().await?;
    sqlx::query!("select set_config('berth.platform', 'on', true)")
        .fetch_one(&mut *tx)
        .await?;
    Ok(tx)
}
