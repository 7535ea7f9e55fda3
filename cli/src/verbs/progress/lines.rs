//! One line for each change.

use std::collections::HashMap;
use std::io::Write;

use super::{attempt, detail, opening, took};
use crate::client::operation::Step;
use crate::client::{Operation, Progress};

pub(super) struct Lines<'a> {
    out: &'a mut (dyn Write + Send),
    seen: HashMap<String, Step>,
    begun: bool,
    stuck: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(out: &'a mut (dyn Write + Send)) -> Self {
        Self {
            out,
            seen: HashMap::new(),
            begun: false,
            stuck: false,
        }
    }

    /// Talk that nobody hears stops no work.
    fn line(&mut self, text: &str) {
        drop(writeln!(self.out, "{text}"));
    }

    fn begin(&mut self, operation: &Operation) {
        self.begun = true;
        for line in opening(operation) {
            self.line(&line);
        }
    }
}

impl Progress for Lines<'_> {
    fn show(&mut self, operation: &Operation) {
        if !self.begun {
            self.begin(operation);
        }
        for step in &operation.steps {
            if step.state != "pending" && self.seen.get(&step.name) != Some(step) {
                self.line(&describe(step));
                self.seen.insert(step.name.clone(), step.clone());
            }
        }
        if operation.stuck && !self.stuck {
            self.line("past its deadline and still open: operators see it as stuck");
        }
        self.stuck = operation.stuck;
        if operation.is_over() {
            self.line(&format!("{}: {}", operation.id, operation.state));
        }
    }
}

fn describe(step: &Step) -> String {
    let (name, state) = (&step.name, &step.state);
    format!(
        "{name}: {state}{}{}{}",
        attempt(step),
        took(step),
        detail(step)
    )
}
