//! What a verb works with.

use super::console::Console;
use super::exit::{Exit, Failure, Result};
use super::group::Format;
use super::table::Show;
use crate::client::{Answer, Call, Client, EnvFile};

/// A connection, a place to speak, and what the env file says.
pub(crate) struct Session<'a> {
    pub(crate) client: Client,
    pub(crate) console: &'a mut Console,
    pub(crate) format: Format,
    pub(crate) file: EnvFile,
    /// Whether the operator's key is used where a tenant's could be.
    pub(crate) admin: bool,
}

impl Session<'_> {
    /// Sends a creation; one whose fate is unknown tells how to make sure.
    pub(crate) async fn send(&mut self, call: &Call) -> Result<Answer> {
        let answer =
            self.client
                .send(call)
                .await
                .map_err(|source| match call.idempotency_key() {
                    Some(key) if source.is_in_doubt() => Failure::InDoubt {
                        source,
                        key: key.clone(),
                    },
                    _ => source.into(),
                })?;
        if answer.was_replayed() {
            self.console
                .talk("An earlier call with this idempotency key did this already.");
        }
        Ok(answer)
    }

    /// Writes an answer in the wanted format.
    pub(crate) fn show<T: Show>(&mut self, answer: &Answer) -> Result {
        match self.format {
            Format::Json => self.console.data(&answer.text)?,
            Format::Table => {
                let shown: T = answer.json()?;
                let text = shown.table().render();
                self.console.data(&text)?;
                if let Some(hint) = shown.hint() {
                    self.console.talk(&hint);
                }
            }
        }
        Ok(Exit::Ok)
    }

    /// Asks for a thing and writes it.
    pub(crate) async fn get<T: Show>(&mut self, path: &str) -> Result {
        let answer = self.client.get(path).await?;
        self.show::<T>(&answer)
    }

    /// Sends a call and writes the answer.
    pub(crate) async fn call<T: Show>(&mut self, call: &Call) -> Result {
        let answer = self.send(call).await?;
        self.show::<T>(&answer)
    }

    /// Deletes a thing. There is nothing to show but that it is gone.
    pub(crate) async fn delete(&mut self, path: &str, id: &str) -> Result {
        self.client.send(&Call::delete(path)).await?;
        self.console.talk(&format!("{id} is deleted."));
        Ok(Exit::Ok)
    }
}
