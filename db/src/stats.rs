//! Counts over the whole installation, for operators; wants the platform's scope.

use sqlx::PgConnection;

use crate::error::Result;

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

/// What waits to be delivered.
#[derive(Debug, Clone)]
pub struct Backlog {
    pub events_pending: i64,
    pub events_oldest_age_seconds: f64,
    pub intents_pending: i64,
    pub intents_oldest_age_seconds: f64,
    pub dead_letters_open: i64,
    pub operations_stuck: i64,
}

pub async fn backlog(conn: &mut PgConnection) -> Result<Backlog> {
    let row = sqlx::query_as!(
        Backlog,
        r#"select e.pending as "events_pending!", e.age as "events_oldest_age_seconds!",
                  i.pending as "intents_pending!", i.age as "intents_oldest_age_seconds!",
                  (select count(*) from dead_letters where replayed_at is null) as "dead_letters_open!",
                  (select count(*) from operations
                   where state in ('pending', 'running') and deadline_at < clock_timestamp()) as "operations_stuck!"
           from
             (select count(*) as pending,
                     coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8 as age
              from outbox_events where published_at is null and dead_at is null) e,
             (select count(*) as pending,
                     coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8 as age
              from workflow_intents where delivered_at is null and dead_at is null) i"#,
    )
    .fetch_one(conn)
    .await?;
    Ok(row)
}
