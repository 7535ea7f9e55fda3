//! Where a machine is said to be, judged before anything is written. The dial judges again: names
//! change their addresses, and rows can be edited.

use std::time::Duration;

use domain::net_guard::{Denied, NetGuard, Target};
use tokio::time::{Instant, sleep_until};

use crate::app::App;
use crate::problem::{Code, Problem};

/// Refusals take this long, so that time does not tell what was behind a target (SSRF-06).
const REFUSAL_TAKES: Duration = Duration::from_millis(250);

/// Refuses what the guard refuses: one answer for every reason, which is only counted.
pub(super) async fn judge(app: &App, host: &str, port: u16) -> Result<(), Problem> {
    let answer_at = Instant::now() + REFUSAL_TAKES;
    let guard = NetGuard::new(app.settings.node_probe_allowed_cidrs.clone());
    match resolve(&guard, host, port).await {
        Ok(()) => Ok(()),
        Err(denied) => {
            metrics::counter!("probe_denied_total", "reason" => denied.as_str()).increment(1);
            tracing::warn!(reason = denied.as_str(), "probe target denied");
            sleep_until(answer_at).await;
            Err(Problem::new(Code::ProbeTargetDenied))
        }
    }
}

async fn resolve(guard: &NetGuard, host: &str, port: u16) -> Result<(), Denied> {
    let target = Target::parse(host)?;
    guard.judge(&target, port)
}
