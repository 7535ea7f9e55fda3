//! One task fetches, so that no two fetches run at the same time and everybody waits for the same.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::pace::Pace;
use super::{Refreshed, Snapshot, fetch};
use crate::dial::web::Web;

/// How often the age of the keys is told.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// What the keeper may be asked for.
pub(super) enum Ask {
    /// A key that is not there: a fetch, unless the last one was lately.
    Missing { reply: oneshot::Sender<()> },
    /// A fetch in any case.
    Now {
        purge: bool,
        reply: oneshot::Sender<Option<Refreshed>>,
    },
}

pub(super) struct Keeper {
    web: Web,
    issuer: String,
    pace: Pace,
    keys: Arc<ArcSwap<Snapshot>>,
    next_due: Instant,
    last_try: Option<Instant>,
    failures: u32,
}

impl Keeper {
    pub(super) fn new(web: Web, issuer: String, pace: Pace, keys: Arc<ArcSwap<Snapshot>>) -> Self {
        Self {
            web,
            issuer,
            pace,
            keys,
            next_due: Instant::now(),
            last_try: None,
            failures: 0,
        }
    }

    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        loop {
            self.tell();
            if self.next_due <= Instant::now() {
                self.fetch("schedule").await;
            }
            let wake = self.next_due.min(Instant::now() + TELL_EVERY);
            tokio::select! {
                ask = asked.recv() => match ask {
                    Some(ask) => self.obey(ask).await,
                    None => return,
                },
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    /// Whoever asked may have gone away meanwhile.
    async fn obey(&mut self, ask: Ask) {
        match ask {
            Ask::Missing { reply } => {
                let floor = self.pace.floor;
                if self.last_try.is_none_or(|at| at.elapsed() >= floor) {
                    self.fetch("unknown_kid").await;
                }
                reply.send(()).ok();
            }
            Ask::Now { purge, reply } => {
                let before = self.keys.load_full();
                if purge {
                    self.keys.store(Arc::default());
                }
                let fetched = self.fetch("command").await;
                let changes = fetched.then(|| changes(&before, &self.keys.load()));
                reply.send(changes).ok();
            }
        }
    }

    /// Replaces the keys by what the provider has now; leaves them as they are if that fails.
    async fn fetch(&mut self, trigger: &'static str) -> bool {
        self.last_try = Some(Instant::now());
        let fetched = fetch::keys(&self.web, &self.issuer).await;
        let result = fetched.as_ref().err().map_or("ok", |error| error.label());
        metrics::counter!("jwks_fetch_total", "result" => result).increment(1);
        let outcome = if fetched.is_ok() { "ok" } else { "failed" };
        metrics::counter!("auth_jwks_refresh_total", "trigger" => trigger, "outcome" => outcome)
            .increment(1);
        match fetched {
            Ok((keys, page)) => {
                if keys.is_empty() || keys.skipped > 0 {
                    tracing::warn!(
                        skipped = keys.skipped,
                        "the issuer has keys that sign nothing"
                    );
                }
                let ttl = self.pace.ttl(page.max_age);
                self.keys.store(Arc::new(Snapshot {
                    keys,
                    fetched_at: self.last_try,
                    ttl,
                }));
                self.failures = 0;
                self.next_due = Instant::now() + Pace::after_success(ttl);
            }
            Err(error) => {
                tracing::warn!(
                    trigger,
                    error = &error as &dyn std::error::Error,
                    "no keys from the issuer"
                );
                self.failures = self.failures.saturating_add(1);
                self.next_due = Instant::now() + self.pace.after_failures(self.failures);
            }
        }
        self.tell();
        result == "ok"
    }

    fn tell(&self) {
        let keys = self.keys.load();
        if let Some(at) = keys.fetched_at {
            metrics::gauge!("jwks_age_seconds").set(at.elapsed().as_secs_f64());
            metrics::gauge!("jwks_ttl_seconds").set(keys.ttl.as_secs_f64());
        }
    }
}

fn changes(before: &Snapshot, after: &Snapshot) -> Refreshed {
    let ids = |snapshot: &Snapshot| -> BTreeSet<String> {
        snapshot.keys.ids().map(ToOwned::to_owned).collect()
    };
    let (before, after) = (ids(before), ids(after));
    Refreshed {
        kids_added: after.difference(&before).cloned().collect(),
        kids_removed: before.difference(&after).cloned().collect(),
    }
}
