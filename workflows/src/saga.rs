//! What is to be taken back when a later step fails: said before the step, done in reverse.

use futures::future::{FutureExt, LocalBoxFuture};

use crate::step::Failure;

type Undo<'a, R> = Box<dyn FnOnce(R) -> LocalBoxFuture<'a, Result<(), Failure>> + 'a>;

/// The undos of the steps so far. `R` is why they are taken back.
pub(crate) struct Saga<'a, R> {
    undos: Vec<Undo<'a, R>>,
}

impl<'a, R: Clone> Saga<'a, R> {
    pub(crate) fn new() -> Self {
        Self { undos: Vec::new() }
    }

    /// Remembers how to take the next step back. The undo must succeed where the step never
    /// happened, or only half of it, and must not be cancellable.
    pub(crate) fn undo_with<F>(&mut self, undo: impl FnOnce(R) -> F + 'a)
    where
        F: Future<Output = Result<(), Failure>> + 'a,
    {
        self.undos
            .push(Box::new(move |reason| undo(reason).boxed_local()));
    }

    /// Takes everything back, last first. An undo that fails ends it: what lies below it must
    /// stay as it is.
    pub(crate) async fn unwind(self, reason: &R) -> Result<(), Failure> {
        for undo in self.undos.into_iter().rev() {
            undo(reason.clone()).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn unwinds_in_reverse_and_stops_at_a_failed_undo() {
        let done = RefCell::new(Vec::new());
        let undo = |name: &'static str, result: Result<(), Failure>| {
            let done = &done;
            move |why: u8| async move {
                done.borrow_mut().push((name, why));
                result
            }
        };
        let mut saga = Saga::new();
        saga.undo_with(undo("first", Ok(())));
        saga.undo_with(undo("second", Err(Failure::Conflict)));
        saga.undo_with(undo("third", Ok(())));
        let result = saga.unwind(&7).now_or_never();
        assert_eq!(result, Some(Err(Failure::Conflict)));
        assert_eq!(*done.borrow(), [("third", 7), ("second", 7)]);
    }
}
