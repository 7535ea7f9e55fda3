//! `/admin/billing-runs`: periods that are billed, on the schedule or as an operator asks.

mod create;
mod get;
mod list;
mod parked;

use db::billing::run::Run;
use domain::id::{BillingRunId, OperationId, OrgId};
use domain::money::Money;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::endpoint::Endpoint;
use crate::resource::Resource;
use crate::routes::billing::MoneySchema;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        create::endpoint(),
        list::endpoint(),
        get::endpoint(),
        parked::endpoint(),
    ]
}

/// A try to bill a period.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BillingRun)]
struct RunView {
    #[schema(value_type = String)]
    id: BillingRunId,
    /// Whose use alone it bills; null: everybody's.
    #[schema(value_type = Option<String>, required)]
    organization_id: Option<OrgId>,
    #[serde(with = "time::serde::rfc3339")]
    period_start: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    period_end: OffsetDateTime,
    /// Accounts that it settled, with an invoice or as there was nothing to charge; those that were
    /// settled before it are not counted.
    accounts_billed: i64,
    invoices_issued: i64,
    credit_notes_issued: i64,
    /// Accounts that it left for people.
    accounts_parked: i64,
    /// What its invoices come to, less its credit notes, by currency.
    #[schema(value_type = Vec<MoneySchema>)]
    totals: Vec<Money>,
    /// What shows its steps.
    #[schema(value_type = Option<String>, required)]
    operation_id: Option<OperationId>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    /// Null: it is under way.
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    #[serde(skip)]
    version: i64,
}

impl RunView {
    fn new(run: &Run, totals: Vec<Money>) -> Self {
        Self {
            id: run.id,
            organization_id: run.org_id,
            period_start: run.period.start,
            period_end: run.period.end,
            accounts_billed: run.accounts_billed,
            invoices_issued: run.invoices_issued,
            credit_notes_issued: run.credit_notes_issued,
            accounts_parked: run.accounts_parked,
            totals,
            operation_id: run.operation_id,
            created_at: run.created_at,
            updated_at: run.updated_at,
            ended_at: run.ended_at,
            // Its numbers grow without an update of its row.
            version: run.version + run.accounts_billed + run.accounts_parked,
        }
    }
}

impl Resource for RunView {
    const KIND: &'static str = "billing_run";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/billing-runs/{}", self.id)
    }
}
