//! `GET /ledger-entries`

use db::billing::ledger::Entry;
use domain::id::{InvoiceLineId, LedgerEntryId, LedgerTransactionId};
use domain::ledger::{Account, Kind};
use domain::money::Money;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::MoneySchema;
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Query;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// One side of a movement of money; the entries of a transaction sum to zero.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LedgerEntry)]
pub(crate) struct EntryView {
    #[schema(value_type = String)]
    id: LedgerEntryId,
    #[schema(value_type = String)]
    transaction_id: LedgerTransactionId,
    /// `charge`, `reversal`, `credit`, `expiry`, `payment` or `refund`.
    #[schema(value_type = String, example = "charge")]
    kind: Kind,
    /// `receivable` is what the organization has; the others are where it came from or went to.
    #[schema(value_type = String, example = "receivable")]
    account: Account,
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// The line of an invoice that it is for.
    #[schema(value_type = Option<String>, required)]
    invoice_line_id: Option<InvoiceLineId>,
    /// The entry that it takes back.
    #[schema(value_type = Option<String>, required)]
    corrects_entry_id: Option<LedgerEntryId>,
    #[schema(required)]
    reason: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            transaction_id: entry.transaction_id,
            kind: entry.kind,
            account: entry.account,
            amount: entry.money,
            invoice_line_id: entry.invoice_line_id,
            corrects_entry_id: entry.corrects_entry_id,
            reason: entry.reason,
            created_at: entry.created_at,
        }
    }
}

impl Resource for EntryView {
    const KIND: &'static str = "ledger_entry";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        "/api/v1/ledger-entries".to_owned()
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichEntries {
    /// Only those of this account: `receivable`, `revenue`, `rounding`, `credits` or `payments`.
    #[param(value_type = Option<String>)]
    pub(crate) account: Option<Account>,
}

/// List the movements of your organization's money, the latest first
#[utoipa::path(get, path = "/api/v1/ledger-entries", params(WhichEntries, Paging),
    responses((status = 200, description = "One page", body = Page<EntryView>)))]
async fn handler(
    principal: Principal,
    mut reader: Reader,
    Query(which): Query<WhichEntries>,
    paging: Paging,
) -> Result<Page<EntryView>, Problem> {
    let (org, account) = (principal.org_id, which.account);
    let after = paging.after::<EntryView, LedgerEntryId>()?;
    let rows = db::billing::ledger::list(reader.conn(), org, account, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(EntryView::from).collect()))
}
