//! `GET /admin/billing-accounts/{id}/ledger-entries`

use domain::id::{LedgerEntryId, OrgId};
use utoipa_axum::routes;

use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::{Path, Query};
use crate::routes::billing::{EntryView, WhichEntries};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::FINANCE_READ)
}

/// List the movements of an organization's money, the latest first
#[utoipa::path(get, path = "/api/v1/admin/billing-accounts/{id}/ledger-entries",
    params(("id" = String, Path), WhichEntries, Paging),
    responses((status = 200, description = "One page", body = Page<EntryView>)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<OrgId>,
    Query(which): Query<WhichEntries>,
    paging: Paging,
) -> Result<Page<EntryView>, Problem> {
    let (conn, after) = (reader.conn(), paging.after::<EntryView, LedgerEntryId>()?);
    super::known(conn, id).await?;
    let rows = db::billing::ledger::list(conn, id, which.account, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(EntryView::from).collect()))
}
