//! `/invoices`: what an organization was charged for a period, down to the records that a line counts.

mod get;
pub(in crate::routes) mod lines;
mod list;
mod records;

use db::billing::invoice::Invoice;
use domain::id::{InvoiceId, LedgerTransactionId, OrgId};
use domain::money::Money;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::MoneySchema;
use crate::endpoint::Endpoint;
use crate::resource::Resource;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        list::endpoint(),
        get::endpoint(),
        lines::endpoint(),
        records::endpoint(),
    ]
}

/// An invoice, or the credit note that takes one back. Neither ever changes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invoice)]
pub(crate) struct InvoiceView {
    #[schema(value_type = String)]
    id: InvoiceId,
    #[schema(value_type = String)]
    organization_id: OrgId,
    /// Within the organization, from 1, without gaps.
    number: i64,
    /// `invoice` or `credit_note`.
    kind: String,
    #[serde(with = "time::serde::rfc3339")]
    period_start: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    period_end: OffsetDateTime,
    /// 0 at first; one more each time that the period was billed anew.
    revision: i32,
    /// The invoice that this credit note takes back.
    #[schema(value_type = Option<String>, required)]
    corrects_invoice_id: Option<InvoiceId>,
    /// Sum of the lines, each rounded to the micro.
    #[schema(value_type = MoneySchema)]
    lines_total: Money,
    /// What it lacks to an amount that the currency can pay.
    #[schema(value_type = MoneySchema)]
    rounding: Money,
    /// What is to be paid; negative, where money comes back.
    #[schema(value_type = MoneySchema)]
    total: Money,
    /// Its movement in the ledger; null: nothing was to move.
    #[schema(value_type = Option<String>, required)]
    ledger_transaction_id: Option<LedgerTransactionId>,
    #[serde(with = "time::serde::rfc3339")]
    issued_at: OffsetDateTime,
}

impl From<Invoice> for InvoiceView {
    fn from(invoice: Invoice) -> Self {
        let money = |amount_micros| Money {
            amount_micros,
            currency: invoice.currency,
        };
        Self {
            id: invoice.id,
            organization_id: invoice.org_id,
            number: invoice.number,
            kind: invoice.kind,
            period_start: invoice.period.start,
            period_end: invoice.period.end,
            revision: invoice.revision,
            corrects_invoice_id: invoice.corrects_invoice_id,
            lines_total: money(invoice.lines_micros),
            rounding: money(invoice.rounding_micros),
            total: money(invoice.total_micros),
            ledger_transaction_id: invoice.transaction_id,
            issued_at: invoice.issued_at,
        }
    }
}

impl Resource for InvoiceView {
    const KIND: &'static str = "invoice";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        format!("/api/v1/invoices/{}", self.id)
    }
}
