//! How comparisons of what is kept in several places look in a terminal.

use serde::Deserialize;

use crate::verbs::list::Row;
use crate::verbs::table::Cell;

#[derive(Debug, Deserialize)]
pub(super) struct Reconciliation {
    id: String,
    since: String,
    finding_count: i64,
    created_at: String,
    ended_at: Option<String>,
}

impl Row for Reconciliation {
    const HEADINGS: &'static [&'static str] = &["ID", "BEGAN", "ENDED", "SINCE", "FINDINGS"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.created_at.clone(),
            self.ended_at.cell(),
            self.since.clone(),
            self.finding_count.cell(),
        ]
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Finding {
    comparison: String,
    code: String,
    organization_id: Option<String>,
    subject: String,
    expected: String,
    found: String,
}

impl Row for Finding {
    const HEADINGS: &'static [&'static str] = &[
        "COMPARISON",
        "CODE",
        "ORGANIZATION",
        "SUBJECT",
        "EXPECTED",
        "FOUND",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.comparison.clone(),
            self.code.clone(),
            self.organization_id.cell(),
            self.subject.clone(),
            self.expected.clone(),
            self.found.clone(),
        ]
    }
}
