//! How machines fare, as the health sweep left it.

use domain::health::{Fault, Health};
use domain::id::{AllocationId, NodeId, OrgId};
use domain::reason::Code;
use domain::state::NodeState;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::{Result, parse};

/// One machine's row.
#[derive(Debug, Clone)]
pub struct NodeHealth {
    pub node_id: NodeId,
    pub looked_at: OffsetDateTime,
    pub health: Health,
    pub fault_since: Option<OffsetDateTime>,
    /// List of `{code, gpu_index, detail}`, as of the last look that saw the machine.
    pub findings: Value,
    /// The kernel's boot id, as of the same look.
    pub boot_id: Option<String>,
    /// The sweep itself put the machine into quarantine.
    pub took_out: bool,
}

/// Machines in the fleet by id, behind `after`: all but those that are being enrolled or checked,
/// and those that have left.
pub async fn page(
    conn: &mut PgConnection,
    after: Option<NodeId>,
    limit: i64,
) -> Result<Vec<NodeId>> {
    let ids = sqlx::query_scalar!(
        "select id from nodes
         where state in ('available', 'draining', 'maintenance', 'quarantined')
           and ($1::uuid is null or id > $1)
         order by id limit $2",
        after.map(NodeId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(NodeId::from).collect())
}

/// What is known of these machines; nothing of one that was never looked at.
pub async fn of(conn: &mut PgConnection, nodes: &[NodeId]) -> Result<Vec<NodeHealth>> {
    let ids: Vec<_> = nodes.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "select node_id, looked_at, missed_looks, good_looks, clean_looks, fault, fault_gpus, fault_since,
                findings, boot_id, took_out
         from node_health where node_id = any($1)",
        &ids,
    )
    .fetch_all(conn)
    .await?;
    let number = |count: i32| u32::try_from(count).unwrap_or_default();
    rows.into_iter()
        .map(|row| {
            let code = row
                .fault
                .map(|code| parse("node_health", "fault", row.node_id, &code));
            let gpus = row
                .fault_gpus
                .map(|gpus| gpus.into_iter().map(number).collect());
            Ok(NodeHealth {
                node_id: row.node_id.into(),
                looked_at: row.looked_at,
                health: Health {
                    missed_looks: number(row.missed_looks),
                    good_looks: number(row.good_looks),
                    clean_looks: number(row.clean_looks),
                    fault: code.transpose()?.map(|code| Fault { code, gpus }),
                },
                fault_since: row.fault_since,
                findings: row.findings,
                boot_id: row.boot_id,
                took_out: row.took_out,
            })
        })
        .collect()
}

/// What one look left known.
#[derive(Debug)]
pub struct Seen<'a> {
    pub node_id: NodeId,
    pub health: &'a Health,
    pub findings: &'a Value,
    /// `None`: it did not answer.
    pub boot_id: Option<&'a str>,
    pub took_out: bool,
}

/// Writes it down. A fault keeps its start, unless it concerns GPUs that were well before.
pub async fn put(conn: &mut PgConnection, seen: &Seen<'_>) -> Result<()> {
    let signed = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let fault = seen.health.fault.as_ref();
    let gpus: Option<Vec<i32>> = fault
        .and_then(|fault| fault.gpus.as_ref())
        .map(|gpus| gpus.iter().copied().map(signed).collect());
    sqlx::query!(
        "insert into node_health as h
           (node_id, missed_looks, good_looks, fault, fault_gpus, fault_since, findings, boot_id, took_out, clean_looks)
         values ($1, $2, $3, $4, $5, case when $4::text is not null then clock_timestamp() end, $6, $7, $8, $9)
         on conflict (node_id) do update set
           looked_at = clock_timestamp(), missed_looks = excluded.missed_looks,
           good_looks = excluded.good_looks, clean_looks = excluded.clean_looks, fault = excluded.fault, fault_gpus = excluded.fault_gpus,
           fault_since = case when excluded.fault is null then null
                              when h.fault_gpus is null or excluded.fault_gpus <@ h.fault_gpus
                              then coalesce(h.fault_since, excluded.fault_since)
                              else excluded.fault_since end,
           findings = excluded.findings, boot_id = coalesce(excluded.boot_id, h.boot_id),
           took_out = excluded.took_out",
        seen.node_id.uuid(),
        signed(seen.health.missed_looks),
        signed(seen.health.good_looks),
        fault.map(|fault| fault.code.as_str()),
        gpus.as_deref(),
        seen.findings,
        seen.boot_id,
        seen.took_out,
        signed(seen.health.clean_looks),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The machine's state, held against changes until the transaction ends, and its row here.
pub async fn hold(
    conn: &mut PgConnection,
    node: NodeId,
) -> Result<Option<(NodeState, Option<NodeHealth>)>> {
    let state = sqlx::query_scalar!(
        "select state from nodes where id = $1 for update",
        node.uuid()
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(state) = state else { return Ok(None) };
    let state = parse("nodes", "state", node, &state)?;
    let known = of(conn, &[node]).await?.pop();
    Ok(Some((state, known)))
}

/// An allocation in use whose state is not what its machine's health calls for.
#[derive(Debug, Clone, Copy)]
pub struct Misfit {
    pub allocation_id: AllocationId,
    pub org_id: OrgId,
    /// Degraded without a fault; otherwise active in spite of one.
    pub degraded: bool,
}

/// Those of a machine.
pub async fn misfits(conn: &mut PgConnection, node: NodeId) -> Result<Vec<Misfit>> {
    let rows = sqlx::query!(
        "select a.id, a.org_id, a.state from allocation_nodes an join allocations a on a.id = an.allocation_id
         where an.node_id = $1 and an.released_at is null and a.state in ('active', 'degraded')
         order by a.id",
        node.uuid(),
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut misfits = Vec::new();
    for row in rows {
        let (allocation_id, degraded) = (row.id.into(), row.state == "degraded");
        if degraded != fault_of(conn, allocation_id).await?.is_some() {
            misfits.push(Misfit {
                allocation_id,
                org_id: row.org_id.into(),
                degraded,
            });
        }
    }
    Ok(misfits)
}

/// What keeps one allocation from its work.
#[derive(Debug, Clone)]
pub struct FaultOf {
    pub code: Code,
    pub since: OffsetDateTime,
}

/// The fault of the machine that an allocation has, if it concerns its GPUs.
pub async fn fault_of(conn: &mut PgConnection, id: AllocationId) -> Result<Option<FaultOf>> {
    let row = sqlx::query!(
        r#"select h.fault as "fault!", h.fault_since as "since!"
           from allocation_nodes an join node_health h on h.node_id = an.node_id
           where an.allocation_id = $1 and an.released_at is null and h.fault is not null
             and (h.fault_gpus is null or exists (
               select from allocation_gpus ag join gpus g on g.id = ag.gpu_id
               where ag.allocation_id = $1 and ag.attempt = an.attempt and ag.released_at is null
                 and g.gpu_index = any (h.fault_gpus)))"#,
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(FaultOf {
            code: parse("node_health", "fault", id, &row.fault)?,
            since: row.since,
        })
    })
    .transpose()
}

/// Has the sweep bring a machine back that somebody else put into quarantine, once it is well.
pub async fn look_after(conn: &mut PgConnection, node: NodeId) -> Result<()> {
    sqlx::query!(
        "insert into node_health as h (node_id, took_out) values ($1, true)
         on conflict (node_id) do update set took_out = true, clean_looks = 0",
        node.uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whoever put the machine into quarantine, from now on it stays there until people say otherwise.
pub async fn keep_out(conn: &mut PgConnection, node: NodeId) -> Result<()> {
    sqlx::query!(
        "update node_health set took_out = false where node_id = $1",
        node.uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}
