//! `berth node reports`

use serde::Deserialize;
use serde_json::Value;

use crate::client::Call;
use crate::verbs::exit::Result;
use crate::verbs::list::{Page, PageArgs, Row};
use crate::verbs::session::Session;
use crate::verbs::table::Cell;

#[derive(Debug, Deserialize)]
struct Report {
    created_at: String,
    kind: String,
    passed: bool,
    #[serde(default)]
    allocation_id: Option<String>,
    #[serde(default)]
    findings: Vec<Finding>,
}

/// What was wrong.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Finding {
    code: String,
    detail: Value,
}

impl Row for Report {
    const HEADINGS: &'static [&'static str] = &["TIME", "KIND", "PASSED", "ALLOCATION", "FINDINGS"];

    fn cells(&self) -> Vec<String> {
        let findings = self.findings.iter().map(|finding| {
            let detail = finding.detail.cell();
            if detail.is_empty() {
                finding.code.clone()
            } else {
                format!("{}: {detail}", finding.code)
            }
        });
        vec![
            self.created_at.clone(),
            self.kind.clone(),
            self.passed.cell(),
            self.allocation_id.cell(),
            findings.collect::<Vec<_>>().join("; "),
        ]
    }
}

pub(super) async fn run(id: &str, page: PageArgs, session: &mut Session<'_>) -> Result {
    let call = Call::get(&format!("admin/nodes/{id}/probe-reports"));
    session.call::<Page<Report>>(&page.apply(call)).await
}
