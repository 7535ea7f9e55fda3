//! Following an operation to its end.

use std::time::Duration;

use tokio::time::Instant;

use super::{Answer, Call, Client, Operation, Patience, Result};

/// While much happens, every step is to be seen: one look after the other, this far apart.
const LOOK_GAP: Duration = Duration::from_millis(250);
/// After this, what is left is mostly waiting; the server holds the answer back until the end.
const LIVELY: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_secs(2);

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
    let look = Call::get(&format!("operations/{id}"));
    let poll = look.clone().with_wait(POLL);
    let begun = Instant::now();
    loop {
        let asked = Instant::now();
        let call = if asked - begun < LIVELY { &look } else { &poll };
        let answer = client.send_with(call, Patience::Long).await?;
        let operation: Operation = answer.json()?;
        progress.show(&operation);
        if operation.is_over() {
            return Ok((answer, operation));
        }
        tokio::time::sleep_until(asked + LOOK_GAP).await;
    }
}
