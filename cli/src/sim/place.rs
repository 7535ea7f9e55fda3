//! Which names and addresses are in use: a node that restarts waits until its former self is gone.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Notify;

/// How long a node may wait for its name and address.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<Vec<(String, u32)>>,
    freed: Notify,
}

/// Keeps one name and index until dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    places: &'a Places,
    name: String,
}

impl Places {
    pub(super) async fn take(&self, name: &str, index: u32) -> anyhow::Result<Place<'_>> {
        let wait = async {
            loop {
                let freed = self.freed.notified();
                if self.try_take(name, index) {
                    return;
                }
                freed.await;
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .ok()
            .with_context(|| format!("a node named {name} or with index {index} is running"))?;
        Ok(Place {
            places: self,
            name: name.to_owned(),
        })
    }

    fn try_take(&self, name: &str, index: u32) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let free = !taken.iter().any(|(n, i)| n == name || *i == index);
        if free {
            taken.push((name.to_owned(), index));
        }
        free
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self
            .places
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        taken.retain(|(name, _)| *name != self.name);
        drop(taken);
        self.places.freed.notify_waiters();
    }
}
