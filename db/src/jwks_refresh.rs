//! Orders to every replica to fetch the provider's keys now, and what came of them.

use domain::id::ReplicaId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Result;

/// One order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    pub id: i64,
    /// Forget what is known first.
    pub purge: bool,
}

/// What a replica did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    pub replica: ReplicaId,
    pub ok: bool,
    pub elapsed_millis: i32,
    pub kids_added: Vec<String>,
    pub kids_removed: Vec<String>,
}

/// Takes turns with other orders until the transaction ends, and counts those of the last minute.
/// Orders of long ago are taken away.
pub async fn take_turn(conn: &mut PgConnection) -> Result<i64> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('jwks_refreshes', 0))")
        .fetch_one(&mut *conn)
        .await?;
    sqlx::query!(
        "delete from jwks_refreshes where created_at < clock_timestamp() - interval '30 days'"
    )
    .execute(&mut *conn)
    .await?;
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from jwks_refreshes
           where created_at > clock_timestamp() - interval '1 minute'"#,
    )
    .fetch_one(conn)
    .await?)
}

pub async fn insert(conn: &mut PgConnection, purge: bool, request_id: &str) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "insert into jwks_refreshes (purge, request_id) values ($1, $2) returning id",
        purge,
        request_id,
    )
    .fetch_one(conn)
    .await?)
}

/// The last order that a process which starts now need not carry out: its keys will be younger.
pub async fn settled(conn: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select coalesce(max(id), 0) as "id!" from jwks_refreshes
           where created_at < clock_timestamp() - interval '1 minute'"#,
    )
    .fetch_one(conn)
    .await?)
}

/// Orders after that one, oldest first. They are committed in this order: see [`take_turn`].
pub async fn after(conn: &mut PgConnection, last: i64) -> Result<Vec<Order>> {
    Ok(sqlx::query_as!(
        Order,
        "select id, purge from jwks_refreshes where id > $1 order by id",
        last,
    )
    .fetch_all(conn)
    .await?)
}

/// Says that a replica has carried out an order.
pub async fn acknowledge(conn: &mut PgConnection, order: i64, ack: &Ack) -> Result<()> {
    sqlx::query!(
        "insert into jwks_refresh_acks (refresh_id, replica_id, ok, elapsed_millis, kids_added, kids_removed)
         values ($1, $2, $3, $4, $5, $6)
         on conflict on constraint jwks_refresh_acks_pkey do nothing",
        order,
        ack.replica.uuid(),
        ack.ok,
        ack.elapsed_millis,
        &ack.kids_added,
        &ack.kids_removed,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Who has carried out an order so far.
pub async fn acks(conn: &mut PgConnection, order: i64) -> Result<Vec<Ack>> {
    let rows = sqlx::query_as!(
        Row,
        "select replica_id, ok, elapsed_millis, kids_added, kids_removed
         from jwks_refresh_acks where refresh_id = $1 order by replica_id",
        order,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

struct Row {
    replica_id: Uuid,
    ok: bool,
    elapsed_millis: i32,
    kids_added: Vec<String>,
    kids_removed: Vec<String>,
}

impl From<Row> for Ack {
    fn from(row: Row) -> Self {
        Self {
            replica: row.replica_id.into(),
            ok: row.ok,
            elapsed_millis: row.elapsed_millis,
            kids_added: row.kids_added,
            kids_removed: row.kids_removed,
        }
    }
}
