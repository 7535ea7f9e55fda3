//! The REST API: one folder per resource under `routes`, one file per verb.
//!
//! An endpoint is a request type, an error enum, a handler with its documentation, and a
//! [`endpoint::Guard`] that says who may call it, which budget it counts against, whether it
//! needs an idempotency key and what it is called in the audit log. Copy `routes/projects`.
//!
//! A request passes, in this order: [`edge`](self) (request id, span, metrics, panics),
//! authentication, rate class, idempotency, policy, the handler, audit. There is no other way to
//! a handler: the router is built from [`routes::registry`] alone.

pub mod app;
pub mod authentication;
pub mod authorization;
pub mod body;
pub mod call;
mod cors;
mod delivery;
pub mod dependency;
mod edge;
pub mod endpoint;
pub mod idempotency;
pub mod if_match;
mod instant;
pub mod intents;
pub mod limit;
pub mod mutation;
pub mod openapi;
pub mod page;
pub mod pipeline;
pub mod policy;
pub mod problem;
pub mod query;
mod replica;
pub mod resource;
mod router;
pub mod routes;
mod server;
pub mod signing_keys;

use platform::settings::Settings;
use platform::telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// Runs the API until `shutdown`, then answers what is under way and returns.
pub async fn serve(
    settings: Settings,
    telemetry: Telemetry,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let openapi = openapi::render(&routes::registry())?;
    let app = App::new(settings, telemetry, shutdown.clone(), openapi)?;
    app.tasks.spawn(policy::refresh::run(app.clone()));
    limit::prepare(&app).await;
    app.tasks.spawn(replica::run(app.clone()));
    let apart = app.settings.internal_listen;
    let (internal, public): (Vec<_>, Vec<_>) = routes::registry()
        .into_iter()
        .partition(|e| apart.is_some() && e.is_internal());
    let public = server::listen(
        app.settings.api_listen,
        router::build(&app, public),
        &shutdown,
    );
    match apart {
        Some(address) => {
            let internal = server::listen(address, router::build(&app, internal), &shutdown);
            tokio::try_join!(public, internal)?;
        }
        None => public.await?,
    }
    app.tasks.close();
    app.tasks.wait().await;
    app.pool.close().await;
    Ok(())
}
