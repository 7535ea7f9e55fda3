//! Where a machine is said to be, judged before anything is written. The dial judges again: names
//! change their addresses, and rows can be edited.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::app::App;
use crate::problem::{Code, Problem};

/// A refusal takes at least this long, so that its time does not tell its reason (SSRF-06).
const REFUSAL_TAKES: Duration = Duration::from_millis(250);

/// Refuses what the guard refuses: one answer for every reason, which is only counted. A name
/// without an address is refused like one with a wrong address.
pub(super) async fn judge(app: &App, host: &str, port: u16) -> Result<(), Problem> {
    let answer_at = Instant::now() + REFUSAL_TAKES;
    if app.dialer.judge(host, port).await.is_ok() {
        return Ok(());
    }
    sleep_until(answer_at).await;
    Err(Problem::new(Code::ProbeTargetDenied))
}
