//! Unwrapped data keys, for a while.

use std::sync::Arc;
use std::time::Duration;

use domain::envelope::{Binding, DataKey, Envelope};
use sha2::{Digest as _, Sha256};
use tokio_util::task::AbortOnDropHandle;

use crate::kms::KmsError;

const MOST_KEYS: u64 = 1000;
/// With a sweep, five minutes.
const LIFETIME: Duration = Duration::from_secs(285);
/// Keys that nobody asks for are wiped at the next sweep after their time.
const SWEEP: Duration = Duration::from_secs(15);

/// SHA-256 over everything that leads to one data key.
type Name = [u8; 32];

pub(super) struct Cache {
    keys: moka::future::Cache<Name, Arc<DataKey>>,
    _sweeper: AbortOnDropHandle<()>,
}

impl Cache {
    pub(super) fn new() -> Self {
        let keys = moka::future::Cache::builder()
            .max_capacity(MOST_KEYS)
            .time_to_live(LIFETIME)
            .build();
        let swept = keys.clone();
        let sweeper = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(SWEEP);
            loop {
                ticks.tick().await;
                swept.run_pending_tasks().await;
            }
        });
        Self {
            keys,
            _sweeper: AbortOnDropHandle::new(sweeper),
        }
    }

    /// The data key of an envelope; of those who ask at once, one fetches it.
    pub(super) async fn get<F>(
        &self,
        envelope: &Envelope,
        binding: &Binding,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<DataKey>, Arc<KmsError>>
    where
        F: Future<Output = Result<DataKey, KmsError>>,
    {
        let name = name(envelope, binding);
        let fetch = async { fetch().await.map(Arc::new) };
        self.keys.try_get_with(name, fetch).await
    }
}

fn name(envelope: &Envelope, binding: &Binding) -> Name {
    let key = envelope.key();
    let (provider, version) = (key.provider.to_string(), key.version.to_string());
    let mut hash = Sha256::new();
    for part in [
        provider.as_bytes(),
        key.id.as_str().as_bytes(),
        version.as_bytes(),
        binding.as_bytes(),
        envelope.edk(),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bounds are promises of the architecture; the crate keeps them.
    #[tokio::test]
    async fn env_11_keys_are_bounded_in_number_and_age() {
        let cache = Cache::new();
        let policy = cache.keys.policy();
        assert_eq!(policy.max_capacity(), Some(1000));
        assert!(policy.time_to_live().unwrap() + SWEEP <= Duration::from_mins(5));
    }
}
