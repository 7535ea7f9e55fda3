//! Stops asking a server that does not answer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it stays open before one call is let through to look.
const PAUSE: Duration = Duration::from_secs(1);

/// What a breaker does with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls go through.
    Closed,
    /// None does.
    Open,
    /// One does, and decides.
    HalfOpen,
}

/// Closed until [`FAILURES`] calls failed in a row; then one call each [`PAUSE`] tries whether the
/// server is back.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    failures: u32,
    next_try: Option<Instant>,
}

impl Breaker {
    /// Whether a call may go through now; its end has to be told by [`Self::note`]. A call that
    /// never ends holds nobody up: after another pause the next one is let through.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut inner = self.lock();
        match inner.next_try {
            None => true,
            Some(at) if at <= now => {
                inner.next_try = Some(now + PAUSE);
                true
            }
            Some(_) => false,
        }
    }

    pub(super) fn note(&self, succeeded: bool, now: Instant) {
        let mut inner = self.lock();
        if succeeded {
            *inner = Inner::default();
            return;
        }
        inner.failures = inner.failures.saturating_add(1);
        if inner.failures >= FAILURES {
            inner.next_try = Some(now + PAUSE);
        }
    }

    pub(super) fn state(&self, now: Instant) -> State {
        match self.lock().next_try {
            None => State::Closed,
            Some(at) if at <= now => State::HalfOpen,
            Some(_) => State::Open,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rl_03_five_errors_open_it_and_a_second_later_one_call_looks() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for n in 1..=FAILURES {
            assert!(breaker.admits(start), "call {n}");
            assert_eq!(breaker.state(start), State::Closed, "call {n}");
            breaker.note(false, start);
        }
        assert_eq!(breaker.state(start), State::Open);
        assert!(!breaker.admits(start + PAUSE.mul_f32(0.99)));
        let later = start + PAUSE;
        assert_eq!(breaker.state(later), State::HalfOpen);
        assert!(breaker.admits(later), "one looks");
        assert!(!breaker.admits(later), "and one only");
        breaker.note(false, later);
        assert!(!breaker.admits(later + PAUSE.mul_f32(0.99)), "open again");
        let last = later + PAUSE;
        assert!(breaker.admits(last));
        breaker.note(true, last);
        assert_eq!(breaker.state(last), State::Closed);
        assert!(breaker.admits(last) && breaker.admits(last));
    }

    #[tokio::test]
    async fn a_success_in_between_starts_the_count_anew() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..3 {
            for _ in 1..FAILURES {
                breaker.note(false, now);
            }
            breaker.note(true, now);
        }
        assert_eq!(breaker.state(now), State::Closed);
    }

    #[tokio::test]
    async fn a_look_that_never_ends_holds_nobody_up() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES {
            breaker.note(false, start);
        }
        assert!(
            breaker.admits(start + PAUSE),
            "this one is never heard of again"
        );
        assert!(breaker.admits(start + 2 * PAUSE));
    }
}
