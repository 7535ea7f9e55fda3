//! The snapshot in force. Its version only grows, whatever is heard and in whatever order
//! (POL-04), and it is not trusted for ever (POL-05).

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use serde::{Deserialize, Serialize};

use super::PolicyClient;
use super::book::{Book, BookError};
use super::rules::Rules;
use super::snapshot::Snapshot;
use super::values::Values;

/// How long a snapshot is trusted that could not be compared with the database.
pub(crate) const TRUSTED: Duration = Duration::from_mins(10);

/// What one process goes by.
#[derive(Debug)]
pub struct Live {
    book: Arc<Book>,
    current: ArcSwapOption<Snapshot>,
    /// When the database last said that the current one is the newest.
    confirmed: ArcSwap<Instant>,
    /// Built-in rules alone, for those who mend the others.
    bare: Arc<Snapshot>,
}

/// There is nothing to decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("policies were not loaded yet")]
    NotLoaded,
    #[error("policies could not be loaded for ten minutes")]
    TooOld,
}

/// What others are told: which key changed, and the version since then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notice {
    pub(crate) key: String,
    pub(crate) version: i64,
}

/// What to make of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// No message of ours.
    Malformed,
    /// Of a version that is in force, or older.
    Known,
    /// There is something newer.
    News,
}

impl Live {
    /// With the rules that are built in, and nothing loaded.
    pub fn open() -> Result<Self, BookError> {
        Ok(Self::new(Arc::new(Book::open()?)))
    }

    pub fn new(book: Arc<Book>) -> Self {
        let bare = Snapshot::new(0, Rules::built_in(&book), Values::default());
        Self {
            book,
            current: ArcSwapOption::empty(),
            confirmed: ArcSwap::from_pointee(Instant::now()),
            bare: Arc::new(bare),
        }
    }

    pub fn book(&self) -> &Arc<Book> {
        &self.book
    }

    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }

    /// The version in force; 0: none yet.
    pub fn version(&self) -> i64 {
        self.current
            .load()
            .as_ref()
            .map_or(0, |snapshot| snapshot.version())
    }

    /// Whether there is something to decide by.
    pub fn usable(&self, now: Instant) -> Result<Arc<Snapshot>, Unusable> {
        let snapshot = self.current().ok_or(Unusable::NotLoaded)?;
        if now.saturating_duration_since(**self.confirmed.load()) > TRUSTED {
            return Err(Unusable::TooOld);
        }
        Ok(snapshot)
    }

    /// What one request goes by until its end. Without a snapshot everything is refused, except
    /// what mends the rules: that goes by the built-in ones.
    pub fn pin(&self, action: &str, now: Instant) -> Result<Arc<dyn PolicyClient>, Unusable> {
        match self.usable(now) {
            Ok(snapshot) => Ok(snapshot),
            Err(_) if self.book.repairs(action) => Ok(Arc::clone(&self.bare) as _),
            Err(unusable) => Err(unusable),
        }
    }

    /// Puts a snapshot in force unless a newer one is; `asked_at` is when it was asked for. Says
    /// whether it took the place of an older one.
    pub fn offer(&self, snapshot: &Arc<Snapshot>, asked_at: Instant) -> bool {
        let offered = snapshot.version();
        let before = self.current.rcu(|current| match current {
            Some(current) if current.version() >= offered => Some(Arc::clone(current)),
            _ => Some(Arc::clone(snapshot)),
        });
        let newer = before.is_none_or(|before| before.version() < offered);
        if newer || offered == self.version() {
            self.confirm(asked_at);
        }
        newer
    }

    /// The database said, when asked at that time, that the current version is the newest.
    pub fn confirm(&self, asked_at: Instant) {
        self.confirmed.rcu(|before| asked_at.max(**before));
    }

    /// Reads a message from the bus.
    pub fn hear(&self, payload: &[u8]) -> Heard {
        match serde_json::from_slice::<Notice>(payload) {
            Ok(notice) if notice.version > self.version() => Heard::News,
            Ok(notice) if notice.version > 0 => Heard::Known,
            Ok(_) | Err(_) => Heard::Malformed,
        }
    }
}
