//! How partitions and what is done to them look in a terminal.

use serde::Deserialize;

use crate::verbs::list::Row;
use crate::verbs::table::{Cell, Show, Table};

#[derive(Debug, Deserialize)]
pub(super) struct Partition {
    table: String,
    name: String,
    since: Option<String>,
    until: String,
    rows: i64,
    bytes: i64,
}

impl Row for Partition {
    const HEADINGS: &'static [&'static str] =
        &["TABLE", "PARTITION", "SINCE", "UNTIL", "ROWS", "BYTES"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.table.clone(),
            self.name.clone(),
            self.since.cell(),
            self.until.clone(),
            self.rows.cell(),
            self.bytes.cell(),
        ]
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Archive {
    id: String,
    partition: String,
    state: String,
    until: String,
    rows: i64,
    bytes: i64,
    verified_at: String,
}

impl Row for Archive {
    const HEADINGS: &'static [&'static str] = &[
        "ID",
        "PARTITION",
        "STATE",
        "UNTIL",
        "ROWS",
        "BYTES",
        "VERIFIED",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.partition.clone(),
            self.state.clone(),
            self.until.clone(),
            self.rows.cell(),
            self.bytes.cell(),
            self.verified_at.clone(),
        ]
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Plan {
    items: Vec<TablePlan>,
}

#[derive(Debug, Deserialize)]
struct TablePlan {
    table: String,
    steps: Vec<Step>,
    on_demand: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    #[serde(rename = "step")]
    name: String,
    subject: String,
    lock: String,
    wait_limit_millis: u32,
    rollback: String,
}

impl Show for Plan {
    fn table(&self) -> Table {
        let mut table = Table::columns(&[
            "TABLE",
            "DUE",
            "STEP",
            "OF",
            "LOCKS",
            "WAIT AT MOST",
            "TAKEN BACK BY",
        ]);
        for plan in &self.items {
            let due = plan.steps.iter().map(|step| ("yes", step));
            let asked = plan.on_demand.iter().map(|step| ("if asked for", step));
            for (due, step) in due.chain(asked) {
                table.row([
                    plan.table.clone(),
                    due.to_owned(),
                    step.name.clone(),
                    step.subject.clone(),
                    step.lock.clone(),
                    format!("{} ms", step.wait_limit_millis),
                    step.rollback.clone(),
                ]);
            }
        }
        table
    }

    fn hint(&self) -> Option<String> {
        let due = self.items.iter().any(|plan| !plan.steps.is_empty());
        due.then(|| "Do it now: berth partition maintain --reason …".to_owned())
    }
}

#[derive(Debug, Deserialize)]
pub(in crate::verbs) struct Maintenance {
    id: String,
    task: String,
    table: Option<String>,
    reason: String,
    outcome: Option<String>,
    reports: Vec<Report>,
    created_at: String,
    ended_at: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Report {
    table: String,
    converted: bool,
    added: Vec<String>,
    archived: Vec<String>,
    dropped: Vec<String>,
    restored: Vec<String>,
    audit: Option<Proof>,
    failed: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Proof {
    entries: u64,
    archived_entries: u64,
    checkpoints: u64,
    finding_count: u64,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    fault: String,
    organization_id: Option<String>,
    seq: Option<i64>,
    audit_event_id: Option<String>,
    object: Option<String>,
}

impl Finding {
    /// Such as `entry_changed: place 5 of org_…, audit_…`.
    fn text(&self) -> String {
        let place = self.seq.map(|seq| {
            let of = self.organization_id.as_deref();
            format!("place {seq} of {}", of.unwrap_or("no organization"))
        });
        let parts = [place, self.audit_event_id.clone(), self.object.clone()];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!("{}: {}", self.fault, parts.join(", "))
    }
}

impl Report {
    /// Such as `usage_records: converted; 4 partitions made`.
    fn text(&self) -> Option<String> {
        let mut done = Vec::new();
        if self.converted {
            done.push("converted".to_owned());
        }
        if !self.added.is_empty() {
            done.push(format!("{} partitions made", self.added.len()));
        }
        if !self.archived.is_empty() {
            done.push(format!("{} partitions proved", self.archived.len()));
        }
        if !self.restored.is_empty() {
            done.push(format!("{} partitions brought back", self.restored.len()));
        }
        if !self.dropped.is_empty() {
            done.push(format!("{} partitions dropped", self.dropped.len()));
        }
        if let Some(proof) = &self.audit {
            let (entries, archived) = (proof.entries, proof.archived_entries);
            let (signed, wrong) = (proof.checkpoints, proof.finding_count);
            done.push(format!(
                "{entries} entries, {archived} in archives and {signed} signed heads read; wrong: {wrong}"
            ));
        }
        if let Some(failed) = &self.failed {
            done.push(format!("FAILED: {failed}"));
        }
        (!done.is_empty()).then(|| format!("{}: {}", self.table, done.join("; ")))
    }
}

impl Show for Maintenance {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("task", &self.task);
        table.field("table", &self.table);
        table.field("reason", &self.reason);
        table.field("began", &self.created_at);
        table.field("ended", &self.ended_at);
        table.field("outcome", &self.outcome);
        for text in self.reports.iter().filter_map(Report::text) {
            table.field("done", text);
        }
        let proofs = self.reports.iter().filter_map(|one| one.audit.as_ref());
        for finding in proofs.flat_map(|proof| &proof.findings) {
            table.field("wrong", finding.text());
        }
        table
    }
}

impl Row for Maintenance {
    const HEADINGS: &'static [&'static str] =
        &["ID", "TASK", "TABLE", "BEGAN", "OUTCOME", "DONE", "REASON"];

    fn cells(&self) -> Vec<String> {
        let done: Vec<_> = self.reports.iter().filter_map(Report::text).collect();
        vec![
            self.id.clone(),
            self.task.clone(),
            self.table.cell(),
            self.created_at.clone(),
            self.outcome.cell(),
            done.join("\n"),
            self.reason.clone(),
        ]
    }
}
