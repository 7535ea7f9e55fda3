//! The roles of Berth as children: each with the settings it needs and no others.

use anyhow::ensure;

use super::child::Spec;
use super::context::Context;
use super::member::Member;
use super::memory::Port;
use super::server::{nats, redis, temporal};
use crate::client::{Client, Settings};

/// What a member listens on.
pub(super) fn port(member: Member) -> Option<Port> {
    match member {
        Member::Postgres => Some(Port::Postgres),
        Member::Redis => Some(Port::Redis),
        Member::Nats => Some(Port::Nats),
        Member::Temporal => Some(Port::Temporal),
        Member::Api => Some(Port::Api),
        Member::Worker => Some(Port::WorkerMetrics),
        Member::Relay => Some(Port::RelayMetrics),
        Member::NodeHost | Member::Node(_) => None,
    }
}

pub(super) fn api_url(ctx: &Context) -> String {
    format!("http://{}", ctx.memory.address(Port::Api))
}

pub(super) fn api(ctx: &Context) -> Spec {
    let passwords = &ctx.memory.passwords;
    role(
        ctx,
        "api",
        &ctx.memory.database_url("berth_api", &passwords.berth_api),
    )
    .env("BERTH_API_LISTEN", ctx.memory.address(Port::Api))
    .env("BERTH_PUBLIC_URL", api_url(ctx))
    .env(
        "INTERNAL_JWKS_REFRESH_TOKEN",
        ctx.memory.jwks_refresh_token.clone(),
    )
    .env(
        "BERTH_PAYMENTS_WEBHOOK_SECRET",
        ctx.memory.payments_webhook_secret.clone(),
    )
}

pub(super) fn worker(ctx: &Context) -> Spec {
    let owner = ctx
        .memory
        .database_url("berth_owner", &ctx.memory.passwords.berth_owner);
    worker_like(ctx, "worker")
        .env(
            "BERTH_WORKER_METRICS_LISTEN",
            ctx.memory.address(Port::WorkerMetrics),
        )
        .env("BERTH_DATABASE_OWNER_URL", owner)
        .env(
            "BERTH_OBJECTS_DIR",
            ctx.layout.dir("objects").display().to_string(),
        )
}

pub(super) fn relay(ctx: &Context) -> Spec {
    worker_like(ctx, "relay").env(
        "BERTH_WORKER_METRICS_LISTEN",
        ctx.memory.address(Port::RelayMetrics),
    )
}

fn worker_like(ctx: &Context, name: &str) -> Spec {
    let url = ctx
        .memory
        .database_url("berth_worker", &ctx.memory.passwords.berth_worker);
    role(ctx, name, &url).env("BERTH_DATABASE_WORKER_URL", url)
}

fn role(ctx: &Context, name: &str, database_url: &str) -> Spec {
    Spec::new(&ctx.tools.berth)
        .arg(name)
        .env("DATABASE_URL", database_url)
        .env("REDIS_URL", redis::url(ctx))
        .env("NATS_URL", nats::url(ctx))
        .env("TEMPORAL_ADDRESS", ctx.memory.address(Port::Temporal))
        .env("TEMPORAL_NAMESPACE", temporal::NAMESPACE)
        .env("BERTH_TEMPORAL_UI_URL", temporal::ui_url(ctx))
        .env(
            "NODE_PROBE_ALLOWED_CIDRS",
            ctx.memory.node_network.to_string(),
        )
        .env(
            "BERTH_KEYRING_DIR",
            ctx.layout.dir("keyring").display().to_string(),
        )
}

/// Every dependency of the API answers it.
pub(super) async fn probe_api(ctx: &Context) -> anyhow::Result<()> {
    let client = Client::new(&Settings::new(&api_url(ctx), None)?)?;
    ensure!(client.is_ready().await, "/readyz does not answer 200");
    Ok(())
}
