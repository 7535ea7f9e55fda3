//! What a role says about itself: log lines on stderr, metrics for Prometheus.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, Source, logging};

/// Upper bounds for everything measured in seconds, from a fast query to a slow long poll.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// The metrics of this process.
#[derive(Clone)]
pub struct Telemetry {
    prometheus: PrometheusHandle,
}

impl Telemetry {
    /// Everything recorded so far, in Prometheus' text format.
    pub fn render(&self) -> String {
        self.prometheus.render()
    }
}

/// Installs the log subscriber and the metrics recorder of this process; a second call in the same
/// process answers the first one's.
pub fn init(role: &str) -> Telemetry {
    static PROCESS: OnceLock<Telemetry> = OnceLock::new();
    let telemetry = PROCESS.get_or_init(|| {
        // A source that cannot be read is refused by `Settings::load`; until then, plain lines.
        log_to_stderr(&Source::of_process().unwrap_or_default());
        Telemetry {
            prometheus: record_metrics(),
        }
    });
    tracing::info!(role, version = env!("CARGO_PKG_VERSION"), "starting");
    telemetry.clone()
}

fn log_to_stderr(source: &Source) {
    let (format, filter) = logging(source);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let installed = match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init(),
        LogFormat::Text => lines.try_init(),
    };
    // A test harness may have a subscriber of its own: keep that one.
    drop(installed);
}

fn record_metrics() -> PrometheusHandle {
    let builder = || -> Result<PrometheusBuilder, BuildError> {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
    };
    let recorder = builder().unwrap_or_default().build_recorder();
    let handle = recorder.handle();
    fold_histograms(handle.clone());
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed: /metrics stays empty");
    }
    handle
}

/// Samples are kept one by one until somebody folds them; nobody scrapes some roles.
fn fold_histograms(handle: PrometheusHandle) {
    let fold = move || {
        loop {
            std::thread::sleep(Duration::from_secs(10));
            handle.run_upkeep();
        }
    };
    if let Err(error) = std::thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(fold)
    {
        tracing::warn!(%error, "histograms are folded only when scraped");
    }
}
