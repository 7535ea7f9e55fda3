//! What a step on a machine needs to know of it, and what it writes down about its work there.

use domain::id::{AllocationId, NodeId, OrgId};
use domain::signed_document::{Receipt, Signed};
use domain::signing_key::Kid;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::{Result, one_row};

/// How to reach a machine, and what it should be.
#[derive(Debug, Clone)]
pub struct Machine {
    pub node_id: NodeId,
    pub host: String,
    pub port: i32,
    /// The only key that it may show.
    pub host_key: String,
    /// The model that its SKU sells.
    pub gpu_model: String,
    pub expected_gpu_count: i32,
    /// As the operator announced it.
    pub expected_driver_version: Option<String>,
    /// As the last check found it.
    pub driver_version: Option<String>,
    /// The database's clock at this read; the time by which certificates are made.
    pub now: OffsetDateTime,
}

/// The machine of one try of an allocation, as long as it is not given back.
#[derive(Debug, Clone)]
pub struct LeasedMachine {
    pub org_id: OrgId,
    /// Something of the allocation may be on it.
    pub touched: bool,
    pub machine: Machine,
}

/// A GPU that a try of an allocation holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedGpu {
    pub index: i32,
    pub uuid: String,
}

pub async fn get(conn: &mut PgConnection, node: NodeId) -> Result<Option<Machine>> {
    let row = sqlx::query!(
        r#"select n.id, n.host, n.port, n.host_key, n.expected_gpu_count,
                  n.expected_driver_version, n.driver_version, s.gpu_model,
                  clock_timestamp() as "now!"
           from nodes n join skus s on s.name = n.sku
           where n.id = $1"#,
        node.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Machine {
        node_id: row.id.into(),
        host: row.host,
        port: row.port,
        host_key: row.host_key,
        gpu_model: row.gpu_model,
        expected_gpu_count: row.expected_gpu_count,
        expected_driver_version: row.expected_driver_version,
        driver_version: row.driver_version,
        now: row.now,
    }))
}

/// The machine that an allocation holds in this try.
pub async fn leased(
    conn: &mut PgConnection,
    allocation: AllocationId,
    attempt: i32,
) -> Result<Option<LeasedMachine>> {
    let row = sqlx::query!(
        "select node_id, org_id, touched_at from allocation_nodes
         where allocation_id = $1 and attempt = $2 and released_at is null",
        allocation.uuid(),
        attempt,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let machine = get(conn, row.node_id.into()).await?;
    Ok(machine.map(|machine| LeasedMachine {
        org_id: row.org_id.into(),
        touched: row.touched_at.is_some(),
        machine,
    }))
}

/// The GPUs of this try, by index.
pub async fn leased_gpus(
    conn: &mut PgConnection,
    allocation: AllocationId,
    attempt: i32,
) -> Result<Vec<LeasedGpu>> {
    let rows = sqlx::query_as!(
        LeasedGpu,
        r#"select g.gpu_index as "index", g.uuid
           from allocation_gpus ag join gpus g on g.id = ag.gpu_id
           where ag.allocation_id = $1 and ag.attempt = $2 and ag.released_at is null
           order by g.gpu_index"#,
        allocation.uuid(),
        attempt,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Public keys that may log in to an allocation, oldest first; deleted ones are left out.
pub async fn public_keys(conn: &mut PgConnection, allocation: AllocationId) -> Result<Vec<String>> {
    let keys = sqlx::query_scalar!(
        "select k.public_key
         from allocation_ssh_keys ak join ssh_keys k on k.id = ak.ssh_key_id
         where ak.allocation_id = $1 and k.deleted_at is null
         order by k.id",
        allocation.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(keys)
}

/// Whether the machine of an allocation is to be empty before its lease would end, were it longer by
/// `seconds`.
pub async fn is_in_the_way(
    conn: &mut PgConnection,
    allocation: AllocationId,
    seconds: i64,
) -> Result<bool> {
    let draining = sqlx::query_scalar!(
        r#"select coalesce(a.lease_ends_at + $2::bigint * interval '1 second' > n.maintenance_at, true) as "soon!"
           from allocations a
           join allocation_nodes an on an.allocation_id = a.id and an.released_at is null
           join nodes n on n.id = an.node_id
           where a.id = $1 and n.state = 'draining'"#,
        allocation.uuid(),
        seconds,
    )
    .fetch_optional(conn)
    .await?;
    Ok(draining.unwrap_or(false))
}

/// Notes that from now on something may be on the machine. `false`: nothing is to be set up.
pub async fn touch(
    conn: &mut PgConnection,
    allocation: AllocationId,
    attempt: i32,
) -> Result<bool> {
    let done = sqlx::query!(
        "update allocation_nodes an set touched_at = coalesce(an.touched_at, clock_timestamp())
         from allocations a
         where an.allocation_id = $1 and an.attempt = $2 and an.released_at is null
           and a.id = an.allocation_id and a.state in ('provisioning', 'degraded')",
        allocation.uuid(),
        attempt,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps what the acceptance probe saw, signed.
pub async fn set_receipt(
    conn: &mut PgConnection,
    allocation: AllocationId,
    attempt: i32,
    receipt: &Signed<Receipt>,
) -> Result<()> {
    let done = sqlx::query!(
        "update allocation_nodes set receipt = $3
         where allocation_id = $1 and attempt = $2 and released_at is null",
        allocation.uuid(),
        attempt,
        receipt.as_json(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Notes what a probe found the machine to be.
pub async fn set_probed(
    conn: &mut PgConnection,
    node: NodeId,
    driver_version: Option<&str>,
    boot_id: &str,
) -> Result<()> {
    let done = sqlx::query!(
        "update nodes set last_probed_at = clock_timestamp(), boot_id = $3,
                driver_version = coalesce($2, driver_version)
         where id = $1",
        node.uuid(),
        driver_version,
        boot_id,
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// A try that was given up without a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproved {
    pub allocation_id: AllocationId,
    pub attempt: i32,
    /// Indexes of the GPUs that it had.
    pub gpus: Vec<i32>,
}

/// Tries whose leftovers a machine may still hold, oldest first: it was theirs, or it has the GPUs that
/// they had in a machine that has left.
pub async fn unproved(conn: &mut PgConnection, node: NodeId) -> Result<Vec<Unproved>> {
    let rows = sqlx::query!(
        r#"select an.allocation_id, an.attempt,
                  array(select g.gpu_index from allocation_gpus ag join gpus g on g.id = ag.gpu_id
                        where ag.allocation_id = an.allocation_id and ag.attempt = an.attempt
                        order by g.gpu_index) as "gpus!"
           from allocation_nodes an
           where an.unproved_at is not null and (an.node_id = $1 or exists (
             select from allocation_gpus ag join gpus g on g.id = ag.gpu_id
             where ag.allocation_id = an.allocation_id and ag.attempt = an.attempt and g.node_id = $1))
           order by an.unproved_at"#,
        node.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Unproved {
            allocation_id: row.allocation_id.into(),
            attempt: row.attempt,
            gpus: row.gpus,
        })
        .collect())
}

/// Nothing of a try is left: its GPUs are free.
pub async fn set_proved(
    conn: &mut PgConnection,
    allocation: AllocationId,
    attempt: i32,
) -> Result<()> {
    sqlx::query!(
        "update allocation_nodes set unproved_at = null where allocation_id = $1 and attempt = $2",
        allocation.uuid(),
        attempt,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update gpus set state = 'free'
         where state = 'faulty' and id in (
           select gpu_id from allocation_gpus where allocation_id = $1 and attempt = $2)",
        allocation.uuid(),
        attempt,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A receipt that a key has signed.
#[derive(Debug, Clone)]
pub struct SignedReceipt {
    pub allocation_id: AllocationId,
    pub attempt: i32,
    pub receipt: serde_json::Value,
}

/// Some of the receipts that keys have signed, in order, behind `after`; of machines that are still
/// held alone, or of all. No other step gets them until commit.
pub async fn receipts_of(
    conn: &mut PgConnection,
    kids: &[Kid],
    held_only: bool,
    after: Option<(AllocationId, i32)>,
    limit: i64,
) -> Result<Vec<SignedReceipt>> {
    let kids: Vec<String> = kids.iter().map(Kid::to_string).collect();
    let (allocation, attempt) = after.unzip();
    let rows = sqlx::query!(
        r#"select allocation_id, attempt, receipt as "receipt!" from allocation_nodes
           where receipt ->> 'kid' = any($1) and (not $2 or released_at is null)
             and ($3::uuid is null or (allocation_id, attempt) > ($3, $4))
           order by allocation_id, attempt limit $5 for update"#,
        &kids,
        held_only,
        allocation.map(AllocationId::uuid),
        attempt,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| SignedReceipt {
            allocation_id: row.allocation_id.into(),
            attempt: row.attempt,
            receipt: row.receipt,
        })
        .collect())
}

/// How many receipts name one of these keys; of machines that are still held alone, or of all.
pub async fn count_receipts_of(
    conn: &mut PgConnection,
    kids: &[Kid],
    held_only: bool,
) -> Result<i64> {
    let kids: Vec<String> = kids.iter().map(Kid::to_string).collect();
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from allocation_nodes
           where receipt ->> 'kid' = any($1) and (not $2 or released_at is null)"#,
        &kids,
        held_only,
    )
    .fetch_one(conn)
    .await?)
}

/// Puts the same receipt with another signature in a receipt's place.
pub async fn resign_receipt(
    conn: &mut PgConnection,
    old: &SignedReceipt,
    receipt: &Signed<Receipt>,
) -> Result<()> {
    let done = sqlx::query!(
        "update allocation_nodes set receipt = $3 where allocation_id = $1 and attempt = $2",
        old.allocation_id.uuid(),
        old.attempt,
        receipt.as_json(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}
