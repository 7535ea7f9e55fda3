//! One line for each step, redrawn as it moves on.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{attempt, detail, title, took};
use crate::client::operation::Step;
use crate::client::{Operation, Progress};

const TICK: Duration = Duration::from_millis(100);

pub(super) struct Bars {
    all: MultiProgress,
    head: Option<ProgressBar>,
    steps: HashMap<String, ProgressBar>,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self {
            all: MultiProgress::new(),
            head: None,
            steps: HashMap::new(),
        }
    }

    fn head(&mut self, operation: &Operation) {
        let all = &self.all;
        let bar = self.head.get_or_insert_with(|| all.add(new_bar()));
        let state = if operation.stuck {
            "stuck"
        } else {
            operation.state.as_str()
        };
        bar.set_style(style(&operation.state));
        bar.set_message(format!("{} {state}", title(operation)));
        if operation.is_over() {
            bar.finish();
        }
    }

    fn step(&mut self, step: &Step) {
        let all = &self.all;
        let bar = self
            .steps
            .entry(step.name.clone())
            .or_insert_with(|| all.add(new_bar()));
        bar.set_style(style(&step.state));
        let (name, tail) = (&step.name, detail(step));
        bar.set_message(format!("  {name}{}{}{tail}", attempt(step), took(step)));
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
        self.head(operation);
        for step in &operation.steps {
            self.step(step);
        }
        if operation.is_over() {
            for bar in self.steps.values() {
                bar.abandon();
            }
        }
    }
}

fn new_bar() -> ProgressBar {
    ProgressBar::new_spinner()
}

fn style(state: &str) -> ProgressStyle {
    let template = match state {
        "running" => "{spinner:.cyan} {wide_msg}",
        "succeeded" => "{prefix:.green}✔ {wide_msg}",
        "failed" => "{prefix}✘ {wide_msg:.red}",
        "skipped" | "cancelled" => "– {wide_msg:.dim}",
        _ => "· {wide_msg:.dim}",
    };
    // All of the above parse; a spinner without wishes is as good if one ever did not.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
