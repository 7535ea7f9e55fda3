//! Connections as the role that workers and relays have.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use platform::settings::Settings;
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// Steps at work on the database at once; more wait for a connection.
const CONNECTIONS: u32 = 8;
const OWNER_CONNECTIONS: u32 = 2;
const OWNER_IDLE: Duration = Duration::from_mins(1);
/// Locks that others wait behind are not left with a worker that is gone, nor waited for without end.
const OWNER_LIMITS: [(&str, &str); 3] = [
    ("idle_in_transaction_session_timeout", "10s"),
    ("client_connection_check_interval", "5s"),
    ("lock_timeout", "60s"),
];
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where to connect, and under which name the server lists the connection.
pub(crate) fn options(settings: &Settings, role: &str) -> anyhow::Result<PgConnectOptions> {
    let url = settings
        .database_worker_url
        .as_ref()
        .unwrap_or(&settings.database_url);
    let options =
        PgConnectOptions::from_str(url.expose_secret()).context("BERTH_DATABASE_WORKER_URL")?;
    Ok(options.application_name(&format!("berth-{role}")))
}

/// The same as the role that owns the tables, for changes of partitions: one at a time, and now and
/// then.
pub(crate) fn owner_pool(settings: &Settings) -> anyhow::Result<db::PgPool> {
    let url = settings
        .database_owner_url
        .as_ref()
        .unwrap_or(&settings.database_url);
    let options =
        PgConnectOptions::from_str(url.expose_secret()).context("BERTH_DATABASE_OWNER_URL")?;
    Ok(PgPoolOptions::new()
        .max_connections(OWNER_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(OWNER_IDLE)
        .connect_lazy_with(
            options
                .application_name("berth-maintenance")
                .options(OWNER_LIMITS),
        ))
}

/// A pool that connects when first used, so that a worker may start before its database.
pub(crate) fn pool(settings: &Settings, role: &str) -> anyhow::Result<db::PgPool> {
    Ok(PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options(settings, role)?))
}
