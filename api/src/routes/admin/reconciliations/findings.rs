//! `GET /admin/reconciliations/{id}/findings`

use db::billing::reconcile::{self, Finding};
use domain::id::{OrgId, ReconciliationId};
use domain::reconciliation::Comparison;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::ReconciliationView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::FINANCE_READ)
}

/// Where two places differ.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReconciliationFinding)]
struct FindingView {
    #[serde(skip)]
    number: i64,
    #[serde(skip)]
    of: ReconciliationId,
    /// `usage`, `lines`, `ledger` or `machines`.
    #[schema(value_type = String, example = "lines")]
    comparison: Comparison,
    /// Stable code of what differs.
    #[schema(example = "lines_differ_from_records")]
    code: String,
    #[schema(value_type = Option<String>, required)]
    organization_id: Option<OrgId>,
    /// The row that is in doubt: a UUID, or a currency.
    subject: String,
    /// What one place says; amounts in micros, use in GPU microseconds.
    expected: String,
    /// What the other says.
    found: String,
}

impl Resource for FindingView {
    const KIND: &'static str = "reconciliation_finding";

    fn id(&self) -> String {
        self.number.to_string()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/reconciliations/{}/findings", self.of)
    }
}

/// List what a comparison found
#[utoipa::path(get, path = "/api/v1/admin/reconciliations/{id}/findings",
    params(("id" = String, Path), Paging),
    responses((status = 200, description = "One page", body = Page<FindingView>)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<ReconciliationId>,
    paging: Paging,
) -> Result<Page<FindingView>, Problem> {
    let (conn, after) = (reader.conn(), paging.after::<FindingView, i64>()?);
    let known = reconcile::list(conn, Some(id), None, 1).await?;
    if known.is_empty() {
        return Err(Problem::not_found(ReconciliationView::KIND));
    }
    let rows = reconcile::findings(conn, id, after, paging.rows()).await?;
    let views = rows.into_iter().map(|row: Finding| FindingView {
        number: row.id,
        of: id,
        comparison: row.comparison,
        code: row.code,
        organization_id: row.org_id,
        subject: row.subject,
        expected: row.expected,
        found: row.found,
    });
    Ok(paging.page(views.collect()))
}
