//! GPUs as enrollment found them.

use domain::id::{GpuId, NodeId};
use domain::state::GpuState;
use sqlx::PgConnection;

use crate::error::{Result, parse};

/// The constraint that keeps one GPU from being on two machines.
pub const UUID_UNIQUE: &str = "gpus_uuid_unique";

/// A GPU that a machine is known to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownGpu {
    pub index: i32,
    pub uuid: String,
    pub state: GpuState,
}

/// A GPU found for the first time; its row starts as `free`.
#[derive(Debug, Clone, Copy)]
pub struct NewGpu<'a> {
    pub id: GpuId,
    pub node_id: NodeId,
    pub index: i32,
    pub uuid: &'a str,
    pub model: &'a str,
    pub memory_bytes: i64,
}

/// Adds a GPU; one that is known stays as it is. One of a retired machine comes over with its past.
pub async fn insert(conn: &mut PgConnection, new: NewGpu<'_>) -> Result<()> {
    sqlx::query!(
        "update gpus set node_id = $1, gpu_index = $2
         where uuid = $3 and node_id <> $1
           and exists (select from nodes n where n.id = gpus.node_id and n.state = 'retired')",
        new.node_id.uuid(),
        new.index,
        new.uuid,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into gpus (id, node_id, gpu_index, uuid, model, memory_bytes)
         values ($1, $2, $3, $4, $5, $6)
         on conflict on constraint gpus_index_unique do nothing",
        new.id.uuid(),
        new.node_id.uuid(),
        new.index,
        new.uuid,
        new.model,
        new.memory_bytes,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// All GPUs of a machine, by index.
pub async fn list(conn: &mut PgConnection, node: NodeId) -> Result<Vec<KnownGpu>> {
    sqlx::query!(
        "select id, gpu_index, uuid, state from gpus where node_id = $1 order by gpu_index",
        node.uuid(),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| {
        Ok(KnownGpu {
            state: parse("gpus", "state", row.id, &row.state)?,
            index: row.gpu_index,
            uuid: row.uuid,
        })
    })
    .collect()
}
