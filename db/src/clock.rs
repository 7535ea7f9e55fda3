//! The one clock that decides: the database's.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::Result;

pub async fn now(conn: &mut PgConnection) -> Result<OffsetDateTime> {
    let now = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(conn)
        .await?;
    Ok(now)
}
