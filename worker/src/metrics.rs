//! `/metrics` of roles that serve nothing else.

use axum::Router;
use axum::routing::get;
use platform::settings::Settings;
use platform::telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

/// Serves the process's metrics until the role ends, where a listener is set.
pub(crate) async fn serve(
    settings: &Settings,
    telemetry: Telemetry,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let Some(address) = settings.worker_metrics_listen else {
        shutdown.cancelled().await;
        return Ok(());
    };
    let listener = tokio::net::TcpListener::bind(address).await?;
    let render = move || async move { telemetry.render() };
    let routes = Router::new().route("/metrics", get(render));
    axum::serve(listener, routes)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await?;
    Ok(())
}
