//! One line for each step, redrawn as it moves on.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{attempt, detail, opening, took};
use crate::client::operation::Step;
use crate::client::{Operation, Progress};

const TICK: Duration = Duration::from_millis(100);

pub(super) struct Bars {
    all: MultiProgress,
    steps: HashMap<String, ProgressBar>,
    begun: bool,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self {
            all: MultiProgress::new(),
            steps: HashMap::new(),
            begun: false,
        }
    }

    /// Says once what is watched. Before the first moving line is drawn these are lines like any
    /// other, so a terminal may break them where it likes.
    fn begin(&mut self, operation: &Operation) {
        self.begun = true;
        for line in opening(operation) {
            // A terminal that went away stops no work.
            drop(writeln!(std::io::stderr(), "{line}"));
        }
    }

    /// Takes the moving lines away and leaves ordinary ones: what is drawn by nobody any more, no
    /// terminal erases.
    fn end(&self, operation: &Operation) {
        for bar in self.steps.values() {
            bar.finish_and_clear();
        }
        drop(self.all.clear());
        let mut talk = std::io::stderr();
        for step in &operation.steps {
            let (mark, _) = look(&step.state);
            drop(writeln!(talk, "{mark} {}", message(step)));
        }
        drop(writeln!(talk, "{}: {}", operation.id, operation.state));
    }

    fn step(&mut self, step: &Step) {
        let all = &self.all;
        let bar = self
            .steps
            .entry(step.name.clone())
            .or_insert_with(|| all.add(ProgressBar::new_spinner()));
        let (mark, template) = look(&step.state);
        bar.set_style(style(template));
        bar.set_prefix(mark);
        bar.set_message(message(step));
        if step.state == "running" {
            bar.enable_steady_tick(TICK);
        } else {
            bar.disable_steady_tick();
            bar.tick();
        }
    }
}

impl Progress for Bars {
    fn show(&mut self, operation: &Operation) {
        if !self.begun {
            self.begin(operation);
        }
        for step in &operation.steps {
            self.step(step);
        }
        if operation.is_over() {
            self.end(operation);
        }
    }
}

fn message(step: &Step) -> String {
    let (name, attempt, took) = (&step.name, attempt(step), took(step));
    format!("{name}{attempt}{took}{}", detail(step))
}

/// Mark and template of a state.
fn look(state: &str) -> (&'static str, &'static str) {
    match state {
        "running" => ("", "{spinner:.cyan} {wide_msg}"),
        "succeeded" => ("✔", "{prefix:.green} {wide_msg}"),
        "failed" => ("✘", "{prefix:.red} {wide_msg}"),
        "skipped" => ("–", "{prefix:.dim} {wide_msg:.dim}"),
        _ => ("·", "{prefix:.dim} {wide_msg:.dim}"),
    }
}

fn style(template: &str) -> ProgressStyle {
    // All of the above parse; a spinner without wishes is as good if one ever did not.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
