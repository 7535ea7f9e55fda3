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
    super::block_on(migrate(&settings))?;
    Ok(())
}

async fn migrate(settings: &Settings) -> anyhow::Result<()> {
    let url = settings
        .database_owner_url
        .as_ref()
        .unwrap_or(&settings.database_url);
    let mut owner = sqlx::PgConnection::connect(url.expose_secret())
        .await
        .context("cannot reach PostgreSQL")?;
    db::MIGRATOR
        .run(&mut owner)
        .await
        .context("migration failed")?;
    let applied = db::MIGRATOR.iter().count();
    owner.close().await?;
    tracing::info!(migrations = applied, "the schema is up to date");
    Ok(())
}
