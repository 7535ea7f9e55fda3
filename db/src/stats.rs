//! Counts over the whole installation, for operators; wants the platform's scope.

use sqlx::PgConnection;

use crate::error::Result;

/// Whether the database answers at all.
pub async fn ping(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("select 1 as one").fetch_one(conn).await?;
    Ok(())
}

/// How many there are in one state.
#[derive(Debug, Clone)]
pub struct StateCount {
    pub entity: String,
    pub state: String,
    pub count: i64,
}

/// Allocations, nodes, GPUs and operations by state.
pub async fn by_state(conn: &mut PgConnection) -> Result<Vec<StateCount>> {
    let rows = sqlx::query_as!(
        StateCount,
        r#"select 'allocations' as "entity!", state as "state!", count(*) as "count!" from allocations group by state
           union all select 'nodes', state, count(*) from nodes group by state
           union all select 'gpus', state, count(*) from gpus group by state
           union all select 'operations', state, count(*) from operations group by state
           order by 1, 2"#,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// What calls for an operator.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    pub dead_letters_open: i64,
    pub operations_stuck: i64,
    /// Allocations with an operation that is stuck, or whose release has failed.
    pub allocations_stuck: i64,
}

pub async fn attention(conn: &mut PgConnection) -> Result<Attention> {
    let row = sqlx::query_as!(
        Attention,
        r#"select (select count(*) from dead_letters where replayed_at is null) as "dead_letters_open!",
                  (select count(*) from operations
                   where state in ('pending', 'running') and deadline_at < clock_timestamp()) as "operations_stuck!",
                  (select count(*) from allocations a
                   where a.state = 'release_failed'
                      or a.state not in ('released', 'failed') and exists (
                           select from operations o where o.resource_id = a.id
                             and o.state in ('pending', 'running') and o.deadline_at < clock_timestamp()))
                    as "allocations_stuck!""#,
    )
    .fetch_one(conn)
    .await?;
    Ok(row)
}
