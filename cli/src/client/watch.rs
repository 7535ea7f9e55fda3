//! Following an operation to its end.

use std::time::Duration;

use tokio::time::Instant;

use super::{Answer, Call, Client, Operation, Patience, Result};

/// How long one poll may be held back by the server.
const POLL_SECONDS: u64 = 1;
/// Polls are never closer than this, whatever the server does with `wait_seconds`.
const POLL_GAP: Duration = Duration::from_millis(200);

/// Somebody who is told what is seen of an operation.
pub(crate) trait Progress {
    /// The operation as it is now. Called whenever it was looked at, changed or not.
    fn show(&mut self, operation: &Operation);
}

/// Tells nobody.
impl Progress for () {
    fn show(&mut self, _: &Operation) {}
}

/// Watches an operation until it is over and gives back the last answer with what it says.
///
/// An API that is away for less than a minute is waited for. How long the whole may take is the
/// caller's to say: drop the future, and nothing but the watching ends.
pub(crate) async fn watch_operation(
    client: &Client,
    id: &str,
    progress: &mut impl Progress,
) -> Result<(Answer, Operation)> {
    let call = Call::get(&format!("operations/{id}")).with_wait(Duration::from_secs(POLL_SECONDS));
    loop {
        let asked = Instant::now();
        let answer = client.send_with(&call, Patience::Long).await?;
        let operation: Operation = answer.json()?;
        progress.show(&operation);
        if operation.is_over() {
            return Ok((answer, operation));
        }
        tokio::time::sleep_until(asked + POLL_GAP).await;
    }
}
