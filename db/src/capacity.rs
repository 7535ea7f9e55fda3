//! GPUs on their way to an allocation and back.

use domain::id::{AllocationId, NodeId, OrgId};
use domain::placement::Candidate;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{Error, Result};

/// One assignment at a time for each SKU, until the transaction ends.
pub async fn lock(conn: &mut PgConnection, sku: &str) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('capacity:' || $1::text, 0))",
        sku,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Available nodes of a SKU that the allocation has not tried yet, with their free GPUs. They
/// stay available until the transaction ends.
pub async fn candidates(
    conn: &mut PgConnection,
    sku: &str,
    allocation: AllocationId,
) -> Result<Vec<Candidate>> {
    let rows = sqlx::query!(
        r#"with usable as (
             select n.id from nodes n
             where n.sku = $1 and n.state = 'available'
               and not exists (select from allocation_nodes an
                               where an.allocation_id = $2 and an.node_id = n.id)
             for share)
           select u.id, count(*) as "free!"
           from usable u join gpus g on g.node_id = u.id and g.state = 'free'
           group by u.id"#,
        sku,
        allocation.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Candidate {
            node: row.id.into(),
            free: u32::try_from(row.free).unwrap_or(u32::MAX),
        })
        .collect())
}

/// Reserves GPUs of one node, lowest index first: all of them or, as an error, none.
pub async fn reserve(
    conn: &mut PgConnection,
    org: OrgId,
    allocation: AllocationId,
    attempt: i32,
    node: NodeId,
    count: i32,
) -> Result<()> {
    sqlx::query!(
        "insert into allocation_nodes (allocation_id, attempt, node_id, org_id) values ($1, $2, $3, $4)",
        allocation.uuid(),
        attempt,
        node.uuid(),
        org.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    let gpus: Vec<Uuid> = sqlx::query_scalar!(
        "update gpus set state = 'reserved'
         where id in (select id from gpus where node_id = $1 and state = 'free'
                      order by gpu_index limit $2 for update)
         returning id",
        node.uuid(),
        i64::from(count),
    )
    .fetch_all(&mut *conn)
    .await?;
    if i32::try_from(gpus.len()) != Ok(count) {
        return Err(Error::RowsAffected {
            expected: u64::try_from(count).unwrap_or_default(),
            actual: gpus.len() as u64,
        });
    }
    sqlx::query!(
        "insert into allocation_gpus (allocation_id, attempt, gpu_id, org_id)
         select $1, $2, gpu, $3 from unnest($4::uuid[]) as gpu",
        allocation.uuid(),
        attempt,
        org.uuid(),
        &gpus,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// `reserved → held`: all GPUs of the try.
pub async fn hand_over(
    conn: &mut PgConnection,
    allocation: AllocationId,
    attempt: i32,
    count: i32,
) -> Result<()> {
    let done = sqlx::query!(
        "update gpus set state = 'held'
         where state = 'reserved' and id in (
           select gpu_id from allocation_gpus
           where allocation_id = $1 and attempt = $2 and released_at is null)",
        allocation.uuid(),
        attempt,
    )
    .execute(conn)
    .await?;
    let expected = u64::try_from(count).unwrap_or_default();
    if done.rows_affected() == expected {
        return Ok(());
    }
    Err(Error::RowsAffected {
        expected,
        actual: done.rows_affected(),
    })
}

/// `reserved` or `held → cleaning`: out of the pool until [`free`]. Faulty ones stay so.
pub async fn clean(conn: &mut PgConnection, allocation: AllocationId) -> Result<()> {
    sqlx::query!(
        "update gpus set state = 'cleaning'
         where state in ('reserved', 'held') and id in (
           select gpu_id from allocation_gpus where allocation_id = $1 and released_at is null)",
        allocation.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the allocation's hold: its GPUs are free, unless they are faulty.
pub async fn free(conn: &mut PgConnection, allocation: AllocationId) -> Result<()> {
    sqlx::query!(
        "update gpus set state = 'free'
         where state in ('reserved', 'cleaning') and id in (
           select gpu_id from allocation_gpus where allocation_id = $1 and released_at is null)",
        allocation.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update allocation_gpus set released_at = clock_timestamp()
         where allocation_id = $1 and released_at is null",
        allocation.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update allocation_nodes set released_at = clock_timestamp()
         where allocation_id = $1 and released_at is null",
        allocation.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the allocation's hold without a proof that nothing of it is left: its GPUs are faulty until
/// there is one.
pub async fn give_up(conn: &mut PgConnection, allocation: AllocationId) -> Result<()> {
    sqlx::query!(
        "update gpus set state = 'faulty'
         where state in ('reserved', 'held', 'cleaning') and id in (
           select gpu_id from allocation_gpus where allocation_id = $1 and released_at is null)",
        allocation.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update allocation_nodes set unproved_at = clock_timestamp()
         where allocation_id = $1 and released_at is null",
        allocation.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    free(conn, allocation).await
}

/// The machine that a try was given, and whether something may be on it.
pub async fn machine(
    conn: &mut PgConnection,
    allocation: AllocationId,
    attempt: i32,
) -> Result<Option<Machine>> {
    let row = sqlx::query!(
        r#"select node_id, touched_at is not null as "touched!", released_at is null as "held!"
           from allocation_nodes where allocation_id = $1 and attempt = $2"#,
        allocation.uuid(),
        attempt,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Machine {
        node_id: row.node_id.into(),
        touched: row.touched,
        held: row.held,
    }))
}

/// One row of `allocation_nodes`.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    pub node_id: NodeId,
    /// Something of the allocation may be on it.
    pub touched: bool,
    /// Not given back yet.
    pub held: bool,
}
