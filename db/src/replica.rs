//! Processes that serve the API.

use domain::id::ReplicaId;
use sqlx::PgConnection;

use crate::error::Result;

/// A replica that was not heard of for longer is not waited for.
const ALIVE_SECONDS: f64 = 15.0;

/// A sign of life; the first one makes the row. Takes away replicas that are long gone.
pub async fn beat(conn: &mut PgConnection, id: ReplicaId) -> Result<()> {
    sqlx::query!(
        "with gone as (
           delete from api_replicas where seen_at < clock_timestamp() - interval '5 minutes' and id <> $1)
         insert into api_replicas (id) values ($1)
         on conflict on constraint api_replicas_pkey do update set seen_at = clock_timestamp()",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An orderly end: nobody waits for it any more.
pub async fn leave(conn: &mut PgConnection, id: ReplicaId) -> Result<()> {
    sqlx::query!("delete from api_replicas where id = $1", id.uuid())
        .execute(conn)
        .await?;
    Ok(())
}

/// Those that are there, oldest first.
pub async fn alive(conn: &mut PgConnection) -> Result<Vec<ReplicaId>> {
    let ids = sqlx::query_scalar!(
        "select id from api_replicas
         where seen_at > clock_timestamp() - make_interval(secs => $1) order by started_at, id",
        ALIVE_SECONDS,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ReplicaId::from).collect())
}
