//! Steps of an operation as they happen: live on a terminal, a line for each change elsewhere.

mod bars;
mod lines;

use self::bars::Bars;
use self::lines::Lines;
use super::console::Console;
use crate::client::operation::Step;
use crate::client::{Operation, Progress};

/// What watches an operation on behalf of a person or a log.
pub(crate) struct Steps<'a>(Kind<'a>);

enum Kind<'a> {
    Bars(Bars),
    Lines(Lines<'a>),
}

impl<'a> Steps<'a> {
    /// Speaks beside the data.
    pub(crate) fn on(console: &'a mut Console) -> Self {
        if console.talk_is_terminal() {
            Self(Kind::Bars(Bars::new()))
        } else {
            Self(Kind::Lines(Lines::new(console.talk_writer())))
        }
    }
}

impl Progress for Steps<'_> {
    fn show(&mut self, operation: &Operation) {
        match &mut self.0 {
            Kind::Bars(bars) => bars.show(operation),
            Kind::Lines(lines) => lines.show(operation),
        }
    }
}

/// `in 0.4 s`, or nothing while it has not ended.
fn took(step: &Step) -> String {
    let seconds = step.took().map(time::Duration::as_seconds_f64);
    seconds
        .map(|seconds| format!(" in {seconds:.2} s"))
        .unwrap_or_default()
}

/// `, attempt 2`; nothing for the first.
fn attempt(step: &Step) -> String {
    if step.attempt > 1 {
        format!(", attempt {}", step.attempt)
    } else {
        String::new()
    }
}

/// `: why`, or nothing.
fn detail(step: &Step) -> String {
    let detail = step.detail.as_deref().filter(|text| !text.is_empty());
    detail
        .map(|text| format!(": {}", crate::client::plain(text)))
        .unwrap_or_default()
}

/// What an operation is about and where its workflow can be looked at.
fn opening(operation: &Operation) -> Vec<String> {
    let about = operation.resource.as_ref();
    let about = about.map(|resource| format!(" of {}", resource.id));
    let title = format!(
        "{}: {}{}",
        operation.id,
        operation.kind,
        about.unwrap_or_default()
    );
    let workflow = operation
        .workflow
        .as_ref()
        .and_then(|workflow| workflow.url.as_ref());
    let workflow = workflow.map(|url| format!("workflow: {}", crate::client::plain(url)));
    std::iter::once(title).chain(workflow).collect()
}
