//! Who belongs to an organization, and as what.

use domain::id::{OrgId, UserId};
use domain::role::Role;
use sqlx::PgConnection;

use crate::error::{Result, parse};

/// Makes a person a member. One who is a member already is the constraint `memberships_pkey`.
pub async fn insert(
    conn: &mut PgConnection,
    org_id: OrgId,
    user_id: UserId,
    role: Role,
) -> Result<()> {
    sqlx::query!(
        "insert into memberships (org_id, user_id, role) values ($1, $2, $3)",
        org_id.uuid(),
        user_id.uuid(),
        role.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A person's role in an organization; `None`: he does not belong to it.
pub async fn get(conn: &mut PgConnection, org_id: OrgId, user_id: UserId) -> Result<Option<Role>> {
    let role = sqlx::query_scalar!(
        "select role from memberships where org_id = $1 and user_id = $2",
        org_id.uuid(),
        user_id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    role.map(|role| parse("memberships", "role", user_id, &role))
        .transpose()
}
