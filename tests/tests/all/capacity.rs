//! The reservation itself under a crowd: invariant 1, and the queue's strict order.
//!
//! The relay stands still meanwhile, so that no workflow touches the rows of these tests.

use std::collections::BTreeSet;

use activities::capacity::assign;
use contract::capacity::{AssignInput, Assigned};
use domain::id::{AllocationId, GpuId, NodeId};
use futures::future::join_all;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tests::{Stack, rough_stack};
use uuid::Uuid;

const CONNECTIONS: u32 = 16;

/// A SKU of its own with nodes that nobody dials.
struct Fleet {
    pool: PgPool,
    sku: String,
    project: String,
}

impl Fleet {
    async fn new(stack: &Stack, nodes: usize, gpus: i32) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect(stack.env("DATABASE_URL"))
            .await
            .expect("the database does it");
        let id: AllocationId = db::id::fresh();
        let fleet = Self {
            pool,
            sku: format!("crowd-{}", &id.uuid().simple().to_string()[20..]),
            project: stack.env("BERTH_PROJECT_ID").to_owned(),
        };
        sqlx::query(
            "insert into skus (name, region, display_name, gpu_model, gpu_memory_bytes, gpus_per_node)
             select $1, min(name), $1, 'crowd', 1, 8 from regions",
        )
        .bind(&fleet.sku)
        .execute(&fleet.pool)
        .await.expect("the database does it");
        for number in 0..nodes {
            fleet.add_node(number, gpus).await;
        }
        fleet
    }

    async fn add_node(&self, number: usize, gpus: i32) {
        let node: NodeId = db::id::fresh();
        sqlx::query(
            "insert into nodes (id, name, sku, host, port, host_key, expected_gpu_count, state)
             values ($1, $2, $3, $2 || '.invalid', 22, 'none', $4, 'available')",
        )
        .bind(node.uuid())
        .bind(format!("{}-{number}", self.sku))
        .bind(&self.sku)
        .bind(gpus)
        .execute(&self.pool)
        .await
        .expect("the database does it");
        for index in 0..gpus {
            let gpu: GpuId = db::id::fresh();
            sqlx::query(
                "insert into gpus (id, node_id, gpu_index, uuid, model, memory_bytes)
                 values ($1, $2, $3, 'GPU-' || $1::text, 'crowd', 1)",
            )
            .bind(gpu.uuid())
            .bind(node.uuid())
            .bind(index)
            .execute(&self.pool)
            .await
            .expect("the database does it");
        }
    }

    /// Puts allocations of these sizes into the queue, in this order. They moved just now, for a
    /// while: a sweep finds no workflow of theirs to start.
    async fn queue(&self, sizes: &[i32]) -> Vec<AllocationId> {
        let ids: Vec<AllocationId> = sizes.iter().map(|_| db::id::fresh()).collect();
        let uuids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let project: domain::id::ProjectId = self.project.parse().expect("a project id");
        let done = sqlx::query(
            "insert into allocations (id, org_id, project_id, created_by, name, sku, gpu_count,
                                      queue_timeout_seconds, lease_seconds, state, queued_at, updated_at)
             select want.id, p.org_id, p.id, m.user_id, 'crowd', $2, want.size, 3600, 3600, 'queued',
                    clock_timestamp(), clock_timestamp() + interval '1 hour'
             from unnest($3::uuid[], $4::int[]) as want (id, size),
                  projects p, lateral (select user_id from memberships where org_id = p.org_id limit 1) m
             where p.id = $1",
        )
        .bind(project.uuid())
        .bind(&self.sku)
        .bind(&uuids)
        .bind(sizes)
        .execute(&self.pool)
        .await.expect("the database does it");
        assert_eq!(done.rows_affected(), sizes.len() as u64);
        ids
    }

    async fn assign_at_once(&self, calls: usize) -> Vec<Assigned> {
        let input = AssignInput {
            sku: self.sku.clone(),
            asked_by: None,
        };
        let calls = (0..calls).map(|_| {
            let (pool, input) = (self.pool.clone(), input.clone());
            tokio::spawn(async move { assign(&pool, &input).await.expect("assign answers") })
        });
        join_all(calls)
            .await
            .into_iter()
            .map(|call| call.expect("no call panics"))
            .collect()
    }

    async fn count(&self, what: &'static str) -> i64 {
        sqlx::query_scalar(what)
            .bind(&self.sku)
            .fetch_one(&self.pool)
            .await
            .expect("the database does it")
    }

    /// Leaves nothing behind that the rest of the stack could stumble over.
    async fn clear(self) {
        for statement in [
            "delete from workflow_intents where resource_id in (select id from allocations where sku = $1)",
            "delete from outbox_events where aggregate_id in (select id from allocations where sku = $1)",
            "delete from allocation_gpus where allocation_id in (select id from allocations where sku = $1)",
            "delete from allocation_nodes where allocation_id in (select id from allocations where sku = $1)",
            "delete from allocations where sku = $1",
            "delete from gpus where node_id in (select id from nodes where sku = $1)",
            "delete from nodes where sku = $1",
            "delete from quotas where sku = $1",
            "delete from skus where name = $1",
        ] {
            sqlx::query(statement)
                .bind(&self.sku)
                .execute(&self.pool)
                .await
                .expect("the database does it");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_reservations_at_once_give_no_gpu_twice() {
    let stack = rough_stack().await;
    stack.control("stop", "relay").await;
    let fleet = Fleet::new(&stack, 3, 8).await;
    let ids = fleet.queue(&[1; 1_000]).await;
    let assigned = fleet.assign_at_once(1_000).await;

    let granted: Vec<_> = assigned.into_iter().flat_map(|a| a.granted).collect();
    let distinct: BTreeSet<_> = granted.iter().copied().collect();
    assert_eq!((granted.len(), distinct.len()), (24, 24));
    assert_eq!(distinct, ids[..24].iter().copied().collect());
    let held = "select count(*) from allocation_gpus g join allocations a on a.id = g.allocation_id
                where a.sku = $1 and g.released_at is null";
    assert_eq!(fleet.count(held).await, 24);
    let gpus = "select count(distinct g.gpu_id) from allocation_gpus g
                join allocations a on a.id = g.allocation_id where a.sku = $1";
    assert_eq!(fleet.count(gpus).await, 24);
    let waiting = "select count(*) from allocations where sku = $1 and state = 'queued'";
    assert_eq!(fleet.count(waiting).await, 976);
    let wakes = "select count(*) from workflow_intents i join allocations a on a.id = i.resource_id
                 where a.sku = $1 and i.kind = 'wake'";
    assert_eq!(fleet.count(wakes).await, 24);
    fleet.clear().await;
    stack.control("start", "relay").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_overtakes_the_first_in_the_queue() {
    let stack = rough_stack().await;
    stack.control("stop", "relay").await;
    let fleet = Fleet::new(&stack, 3, 8).await;
    let ids = fleet.queue(&[8, 8, 5, 4, 1, 1, 1]).await;
    let assigned = fleet.assign_at_once(50).await;
    let granted: BTreeSet<_> = assigned.into_iter().flat_map(|a| a.granted).collect();
    assert_eq!(granted, ids[..3].iter().copied().collect());
    let free = "select count(*) from gpus g join nodes n on n.id = g.node_id
                where n.sku = $1 and g.state = 'free'";
    assert_eq!(fleet.count(free).await, 3);
    let apart = "select count(*) from (
                   select allocation_id from allocation_gpus ag join gpus g on g.id = ag.gpu_id
                   join nodes n on n.id = g.node_id where n.sku = $1
                   group by allocation_id having count(distinct g.node_id) > 1) split";
    assert_eq!(fleet.count(apart).await, 0);
    fleet.clear().await;
    stack.control("start", "relay").await;
}

/// The limit is looked at in the transaction that reserves: whoever was let in before it was lowered
/// gets nothing beyond it, however many ask at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_was_lowered_holds_for_who_waits() {
    let stack = rough_stack().await;
    stack.control("stop", "relay").await;
    let fleet = Fleet::new(&stack, 3, 8).await;
    let ids = fleet.queue(&[2; 60]).await;
    let set = "insert into quotas (id, org_id, project_id, sku, gpus_max)
               select gen_random_uuid(), p.org_id, own.id, $1, own.gpus_max
               from projects p, lateral (values (null::uuid, 11), (p.id, 30)) as own (id, gpus_max)
               where p.id = (select project_id from allocations where sku = $1 limit 1)";
    sqlx::query(set)
        .bind(&fleet.sku)
        .execute(&fleet.pool)
        .await
        .expect("the database does it");
    let assigned = fleet.assign_at_once(30).await;

    let granted: BTreeSet<_> = assigned.into_iter().flat_map(|a| a.granted).collect();
    assert_eq!(granted, ids[..5].iter().copied().collect());
    let refused = "select count(*) from allocations
                   where sku = $1 and state = 'failed' and state_reason = 'quota_exceeded'";
    assert_eq!(fleet.count(refused).await, 55);
    let held = "select count(*) from allocation_gpus g join allocations a on a.id = g.allocation_id
                where a.sku = $1 and g.released_at is null";
    assert_eq!(fleet.count(held).await, 10);
    let wakes = "select count(*) from workflow_intents i join allocations a on a.id = i.resource_id
                 where a.sku = $1 and i.kind = 'wake'";
    assert_eq!(fleet.count(wakes).await, 60);
    fleet.clear().await;
}
