//! How money and what it is for look in a terminal.

use domain::money::Money;
use serde::Deserialize;

use crate::verbs::list::Row;
use crate::verbs::table::{Cell, Show, Table};

impl Cell for Money {
    fn cell(&self) -> String {
        self.to_string()
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Balance {
    ledger: Money,
    unbilled: Money,
    available: Money,
    held: Money,
    burn_per_hour: Money,
    terms: String,
    state: String,
    zero_at: Option<String>,
    spend_cap_per_hour: Option<Money>,
}

impl Show for Balance {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("available", self.available);
        table.field("in the ledger", self.ledger);
        table.field("not billed yet", self.unbilled);
        table.field("held for starts", self.held);
        table.field("runs at, per hour", self.burn_per_hour);
        table.field("cap, per hour", self.spend_cap_per_hour);
        table.field("terms", &self.terms);
        table.field("state", &self.state);
        table.field("ends at", &self.zero_at);
        table
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Account {
    organization_id: String,
    currency: String,
    terms: String,
    terms_reason: Option<String>,
    state: String,
    zero_at: Option<String>,
    spend_cap_per_hour: Option<Money>,
}

impl Show for Account {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("organization", &self.organization_id);
        table.field("currency", &self.currency);
        table.field("terms", &self.terms);
        table.field("because", &self.terms_reason);
        table.field("state", &self.state);
        table.field("ends at", &self.zero_at);
        table.field("cap, per hour", self.spend_cap_per_hour);
        table
    }
}

impl Row for Account {
    const HEADINGS: &'static [&'static str] =
        &["ORGANIZATION", "TERMS", "STATE", "ENDS AT", "CAP PER HOUR"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.organization_id.clone(),
            self.terms.clone(),
            self.state.clone(),
            self.zero_at.cell(),
            self.spend_cap_per_hour.cell(),
        ]
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Usage {
    started_at: String,
    project_id: String,
    sku: String,
    gpu_seconds: i64,
    amount: Option<Money>,
}

impl Row for Usage {
    const HEADINGS: &'static [&'static str] = &["FROM", "PROJECT", "SKU", "GPU SECONDS", "AMOUNT"];

    fn cells(&self) -> Vec<String> {
        let amount = self.amount.map(|amount| amount.to_string());
        vec![
            self.started_at.clone(),
            self.project_id.clone(),
            self.sku.clone(),
            self.gpu_seconds.cell(),
            amount.unwrap_or_else(|| "no price".to_owned()),
        ]
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Price {
    id: String,
    sku: String,
    per_gpu_hour: Money,
    effective_from: String,
    effective_to: Option<String>,
    reason: String,
}

impl Show for Price {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("SKU", &self.sku);
        table.field("per GPU and hour", self.per_gpu_hour);
        table.field("from", &self.effective_from);
        table.field("to", &self.effective_to);
        table.field("reason", &self.reason);
        table
    }
}

impl Row for Price {
    const HEADINGS: &'static [&'static str] =
        &["ID", "SKU", "PER GPU HOUR", "FROM", "TO", "REASON"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.sku.clone(),
            self.per_gpu_hour.cell(),
            self.effective_from.clone(),
            self.effective_to.clone().unwrap_or_default(),
            self.reason.clone(),
        ]
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Invoice {
    id: String,
    number: i64,
    kind: String,
    period_start: String,
    period_end: String,
    corrects_invoice_id: Option<String>,
    lines_total: Money,
    rounding: Money,
    total: Money,
    issued_at: String,
}

impl Show for Invoice {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("number", self.number);
        table.field("kind", &self.kind);
        table.field("from", &self.period_start);
        table.field("to", &self.period_end);
        table.field("takes back", &self.corrects_invoice_id);
        table.field("lines", self.lines_total);
        table.field("rounding", self.rounding);
        table.field("total", self.total);
        table.field("issued", &self.issued_at);
        table
    }
}

impl Row for Invoice {
    const HEADINGS: &'static [&'static str] = &["ID", "NUMBER", "KIND", "FROM", "TO", "TOTAL"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.number.cell(),
            self.kind.clone(),
            self.period_start.clone(),
            self.period_end.clone(),
            self.total.cell(),
        ]
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Line {
    id: String,
    project_id: String,
    sku: String,
    per_gpu_hour: Money,
    gpu_microseconds: i64,
    amount: Money,
    record_count: i64,
}

impl Row for Line {
    const HEADINGS: &'static [&'static str] = &[
        "ID",
        "PROJECT",
        "SKU",
        "GPU SECONDS",
        "PER GPU HOUR",
        "AMOUNT",
        "RECORDS",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.project_id.clone(),
            self.sku.clone(),
            (self.gpu_microseconds / 1_000_000).cell(),
            self.per_gpu_hour.cell(),
            self.amount.cell(),
            self.record_count.cell(),
        ]
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Counted {
    record_id: String,
    allocation_id: String,
    quantity: i32,
    started_at: String,
    ended_at: String,
}

impl Row for Counted {
    const HEADINGS: &'static [&'static str] = &["RECORD", "ALLOCATION", "GPUS", "FROM", "TO"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.record_id.clone(),
            self.allocation_id.clone(),
            self.quantity.to_string(),
            self.started_at.clone(),
            self.ended_at.clone(),
        ]
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    created_at: String,
    kind: String,
    account: String,
    amount: Money,
    transaction_id: String,
    reason: Option<String>,
}

impl Row for Entry {
    const HEADINGS: &'static [&'static str] =
        &["AT", "KIND", "ACCOUNT", "AMOUNT", "TRANSACTION", "REASON"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.created_at.clone(),
            self.kind.clone(),
            self.account.clone(),
            self.amount.cell(),
            self.transaction_id.clone(),
            self.reason.clone().unwrap_or_default(),
        ]
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Credit {
    id: String,
    organization_id: String,
    amount: Money,
    reason: String,
    expires_at: Option<String>,
    created_by: String,
    created_at: String,
}

impl Show for Credit {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("organization", &self.organization_id);
        table.field("amount", self.amount);
        table.field("reason", &self.reason);
        table.field("expires", &self.expires_at);
        table.field("by", &self.created_by);
        table.field("at", &self.created_at);
        table
    }
}

impl Row for Credit {
    const HEADINGS: &'static [&'static str] = &["AT", "ORGANIZATION", "AMOUNT", "BY", "REASON"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.created_at.clone(),
            self.organization_id.clone(),
            self.amount.cell(),
            self.created_by.clone(),
            self.reason.clone(),
        ]
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Run {
    id: String,
    organization_id: Option<String>,
    period_start: String,
    period_end: String,
    accounts_billed: i64,
    invoices_issued: i64,
    credit_notes_issued: i64,
    accounts_parked: i64,
    totals: Vec<Money>,
    ended_at: Option<String>,
}

impl Run {
    fn totals(&self) -> String {
        let texts: Vec<String> = self.totals.iter().map(Money::to_string).collect();
        texts.join(", ")
    }
}

impl Show for Run {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("organization", &self.organization_id);
        table.field("from", &self.period_start);
        table.field("to", &self.period_end);
        table.field("accounts billed", self.accounts_billed);
        table.field("invoices", self.invoices_issued);
        table.field("credit notes", self.credit_notes_issued);
        table.field("accounts parked", self.accounts_parked);
        table.field("total", self.totals());
        table.field("ended", &self.ended_at);
        table
    }
}

impl Row for Run {
    const HEADINGS: &'static [&'static str] =
        &["ID", "FROM", "TO", "INVOICES", "PARKED", "TOTAL", "ENDED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.period_start.clone(),
            self.period_end.clone(),
            self.invoices_issued.cell(),
            self.accounts_parked.cell(),
            self.totals(),
            self.ended_at.clone().unwrap_or_default(),
        ]
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Parked {
    organization_id: String,
    reason: String,
    detail: String,
}

impl Row for Parked {
    const HEADINGS: &'static [&'static str] = &["ORGANIZATION", "REASON", "DETAIL"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.organization_id.clone(),
            self.reason.clone(),
            self.detail.clone(),
        ]
    }
}
