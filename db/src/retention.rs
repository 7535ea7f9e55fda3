//! Rows that have served their time and are forgotten, some at once.

use domain::retention::Forgotten;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::Result;

/// Forgets rows whose time ended before `until`, `limit` at most; how many there were. Those that
/// somebody works on are left for the next time.
pub async fn forget(
    conn: &mut PgConnection,
    what: Forgotten,
    until: OffsetDateTime,
    limit: i64,
) -> Result<u64> {
    let done = match what {
        Forgotten::IdempotencyKeys => {
            sqlx::query!(
                "delete from idempotency_keys where ctid = any (array (
                   select ctid from idempotency_keys where expires_at < $1
                   order by expires_at limit $2 for update skip locked))",
                until,
                limit,
            )
            .execute(conn)
            .await?
        }
        Forgotten::TerminalSessions => {
            sqlx::query!(
                "delete from terminal_sessions where ctid = any (array (
                   select ctid from terminal_sessions where id < $1
                   order by id limit $2 for update skip locked))",
                crate::id::first_at(until),
                limit,
            )
            .execute(conn)
            .await?
        }
        Forgotten::BrowserSessions => {
            sqlx::query!(
                "delete from browser_sessions where ctid = any (array (
                   select ctid from browser_sessions where least(expires_at, ended_at) < $1
                   order by least(expires_at, ended_at) limit $2 for update skip locked))",
                until,
                limit,
            )
            .execute(conn)
            .await?
        }
        Forgotten::DeadLetters => {
            sqlx::query!(
                "delete from dead_letters where ctid = any (array (
                   select ctid from dead_letters where replayed_at < $1
                   order by replayed_at limit $2 for update skip locked))",
                until,
                limit,
            )
            .execute(conn)
            .await?
        }
        Forgotten::OutboxEvents => {
            sqlx::query!(
                "delete from outbox_events where (id, created_at) in (
                   select id, created_at from outbox_events where id < $1 and published_at < $2
                   order by id limit $3 for update skip locked)",
                crate::id::first_at(until),
                until,
                limit,
            )
            .execute(conn)
            .await?
        }
        Forgotten::WorkflowIntents => {
            sqlx::query!(
                "delete from workflow_intents where (id, created_at) in (
                   select id, created_at from workflow_intents where id < $1 and delivered_at < $2
                   order by id limit $3 for update skip locked)",
                crate::id::first_at(until),
                until,
                limit,
            )
            .execute(conn)
            .await?
        }
    };
    Ok(done.rows_affected())
}

/// When the time of the oldest row ended that could be forgotten; `None`: there is none.
pub async fn oldest(conn: &mut PgConnection, what: Forgotten) -> Result<Option<OffsetDateTime>> {
    let oldest = match what {
        Forgotten::IdempotencyKeys => {
            sqlx::query_scalar!("select min(expires_at) from idempotency_keys")
                .fetch_one(conn)
                .await?
        }
        Forgotten::TerminalSessions => {
            sqlx::query_scalar!("select created_at from terminal_sessions order by id limit 1")
                .fetch_optional(conn)
                .await?
        }
        Forgotten::BrowserSessions => {
            sqlx::query_scalar!("select min(least(expires_at, ended_at)) from browser_sessions")
                .fetch_one(conn)
                .await?
        }
        Forgotten::DeadLetters => {
            sqlx::query_scalar!("select min(replayed_at) from dead_letters")
                .fetch_one(conn)
                .await?
        }
        Forgotten::OutboxEvents => {
            sqlx::query_scalar!(
                r#"select greatest(created_at, published_at) as "at!" from outbox_events
                   where published_at is not null order by id limit 1"#
            )
            .fetch_optional(conn)
            .await?
        }
        Forgotten::WorkflowIntents => {
            sqlx::query_scalar!(
                r#"select greatest(created_at, delivered_at) as "at!" from workflow_intents
                   where delivered_at is not null order by id limit 1"#
            )
            .fetch_optional(conn)
            .await?
        }
    };
    Ok(oldest)
}
