//! GPUs of the whole fleet, counted; wants the platform's scope.

use sqlx::PgConnection;

use crate::error::Result;

/// GPUs of one SKU, and who waits for them.
#[derive(Debug, Clone)]
pub struct SkuCapacity {
    pub sku: String,
    /// Of machines that have not left the fleet.
    pub delivered: i64,
    /// Of these, those of machines in service that nothing is known to be wrong with.
    pub healthy: i64,
    /// Healthy, and nobody has them: what the queue can be served from.
    pub free: i64,
    /// Taken for allocations that are being provisioned.
    pub reserved: i64,
    /// In the hands of tenants.
    pub active: i64,
    /// On their way back.
    pub cleaning: i64,
    pub queued_allocations: i64,
    pub queued_gpus: i64,
    /// How long the first in the queue has waited; 0 where nobody does.
    pub oldest_wait_seconds: i64,
}

/// By name of the SKU, behind `after`.
pub async fn capacity(
    conn: &mut PgConnection,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<SkuCapacity>> {
    Ok(sqlx::query_as!(
        SkuCapacity,
        r#"select s.name as sku,
                  gpus.delivered as "delivered!", gpus.healthy as "healthy!", gpus.free as "free!",
                  gpus.reserved as "reserved!", gpus.active as "active!", gpus.cleaning as "cleaning!",
                  queue.allocations as "queued_allocations!", queue.gpus as "queued_gpus!",
                  queue.oldest as "oldest_wait_seconds!"
           from skus s
           cross join lateral (
             select count(*) as delivered,
                    count(*) filter (where sound) as healthy,
                    count(*) filter (where sound and state = 'free' and node_state = 'available') as free,
                    count(*) filter (where state = 'reserved') as reserved,
                    count(*) filter (where state = 'held') as active,
                    count(*) filter (where state = 'cleaning') as cleaning
             from (select g.state, n.state as node_state,
                          g.state <> 'faulty' and n.state in ('available', 'draining', 'verifying')
                          and (h.fault is null or g.gpu_index <> all (h.fault_gpus)) is true as sound
                   from nodes n join gpus g on g.node_id = n.id
                   left join node_health h on h.node_id = n.id
                   where n.sku = s.name and n.state <> 'retired') as each
           ) as gpus
           cross join lateral (
             select count(*) as allocations, coalesce(sum(a.gpu_count), 0) as gpus,
                    coalesce(floor(extract(epoch from clock_timestamp() - min(a.queued_at))), 0)::bigint as oldest
             from allocations a where a.sku = s.name and a.state = 'queued'
           ) as queue
           where $1::text is null or s.name > $1
           order by s.name limit $2"#,
        after,
        limit,
    )
    .fetch_all(conn)
    .await?)
}
