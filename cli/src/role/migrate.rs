//! `berth migrate`: the schema, as its owner.

use anyhow::Context as _;
use platform::settings::Settings;
use platform::telemetry;
use secrecy::ExposeSecret as _;
use sqlx::Connection as _;

use crate::exit::Failure;

pub(crate) fn run() -> Result<(), Failure> {
    let settings = Settings::load()?;
    telemetry::init("migrate");
    let url = settings
        .database_owner_url
        .as_ref()
        .unwrap_or(&settings.database_url);
    let migrations = super::block_on(up(url.expose_secret()))?;
    tracing::info!(migrations, "the schema is up to date");
    Ok(())
}

/// Applies what is missing, as the schema's owner; answers how many migrations there are.
pub(crate) async fn up(owner_url: &str) -> anyhow::Result<usize> {
    let mut owner = sqlx::PgConnection::connect(owner_url)
        .await
        .context("cannot reach PostgreSQL")?;
    db::MIGRATOR
        .run(&mut owner)
        .await
        .context("cannot migrate the database")?;
    owner.close().await?;
    Ok(db::MIGRATOR.iter().count())
}
