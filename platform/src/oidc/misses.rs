//! Key ids that the provider does not have, for a while (JWT-05).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

const MAX_ENTRIES: usize = 1024;

/// The last key ids that were asked for in vain.
pub(super) struct Misses {
    span: Duration,
    until: HashMap<String, Instant>,
    /// Oldest first.
    order: VecDeque<String>,
}

impl Misses {
    pub(super) fn new(span: Duration) -> Self {
        Self {
            span,
            until: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(super) fn contains(&self, id: &str, now: Instant) -> bool {
        self.until.get(id).is_some_and(|until| now < *until)
    }

    pub(super) fn insert(&mut self, id: &str, now: Instant) {
        if self.until.insert(id.to_owned(), now + self.span).is_none() {
            self.order.push_back(id.to_owned());
        }
        if self.order.len() > MAX_ENTRIES
            && let Some(oldest) = self.order.pop_front()
        {
            self.until.remove(&oldest);
        }
    }

    pub(super) fn clear(&mut self) {
        self.until.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jwt_05_misses_are_few_and_short_lived() {
        let (now, span) = (Instant::now(), Duration::from_secs(30));
        let mut misses = Misses::new(span);
        for n in 0..10_000 {
            misses.insert(&format!("kid-{n}"), now);
        }
        assert_eq!((misses.until.len(), misses.order.len()), (1024, 1024));
        assert!(misses.contains("kid-9999", now));
        assert!(!misses.contains("kid-0", now), "the oldest went");
        assert!(!misses.contains("kid-9999", now + span));
        misses.clear();
        assert!(!misses.contains("kid-9999", now));
    }
}
