//! A new database server made ready for Berth, by its superuser; needed where nobody else prepares
//! one, as on a developer's machine.

use sqlx::PgConnection;

use crate::Result;

/// Makes the roles of `bootstrap/roles.sql` that are missing.
pub async fn roles(conn: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql(include_str!("../bootstrap/roles.sql"))
        .execute(conn)
        .await?;
    Ok(())
}

/// Sets a role's password. A statement that names a role takes no parameters, so name and password
/// travel as settings of this session, for one transaction.
pub async fn set_password(conn: &mut PgConnection, role: &str, password: &str) -> Result<()> {
    let mut tx = sqlx::Connection::begin(conn).await?;
    sqlx::query!(
        r#"select set_config('berth.role', $1, true) as "role", set_config('berth.password', $2, true) as "password""#,
        role,
        password
    )
    .fetch_one(&mut *tx)
    .await?;
    sqlx::raw_sql(
        "do $$ begin
           execute format('alter role %I password %L', current_setting('berth.role'), current_setting('berth.password'));
         end $$",
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Makes the database `berth`, owned by `berth_owner`, if it is missing.
pub async fn database(conn: &mut PgConnection) -> Result<()> {
    let exists = sqlx::query_scalar!(
        r#"select exists (select from pg_database where datname = 'berth') as "exists!""#
    )
    .fetch_one(&mut *conn)
    .await?;
    if !exists {
        sqlx::raw_sql("create database berth owner berth_owner")
            .execute(conn)
            .await?;
    }
    Ok(())
}
