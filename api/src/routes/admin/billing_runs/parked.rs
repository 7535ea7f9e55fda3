//! `GET /admin/billing-runs/{id}/parked-accounts`

use db::billing::run::{self, Parked};
use domain::id::{BillingRunId, OrgId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::RunView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::FINANCE_READ)
}

/// An account that could not be billed. The next run of the same period tries again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ParkedAccount)]
struct ParkedView {
    #[schema(value_type = String)]
    organization_id: OrgId,
    /// `no_price`, `period_overlaps` or `cannot_be_billed`.
    reason: String,
    /// The same for people.
    detail: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(skip)]
    run_id: BillingRunId,
}

impl Resource for ParkedView {
    const KIND: &'static str = "parked_account";

    fn id(&self) -> String {
        self.organization_id.to_string()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        let run = self.run_id;
        format!("/api/v1/admin/billing-runs/{run}/parked-accounts")
    }
}

/// List the accounts that a billing run left for people
#[utoipa::path(get, path = "/api/v1/admin/billing-runs/{id}/parked-accounts",
    params(("id" = String, Path), Paging),
    responses((status = 200, description = "One page", body = Page<ParkedView>)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<BillingRunId>,
    paging: Paging,
) -> Result<Page<ParkedView>, Problem> {
    let (conn, after) = (reader.conn(), paging.after::<ParkedView, OrgId>()?);
    let known = run::get(conn, id).await?;
    known.ok_or_else(|| Problem::not_found(RunView::KIND))?;
    let rows = run::parked(conn, id, after, paging.rows()).await?;
    let views = rows.into_iter().map(|row: Parked| ParkedView {
        organization_id: row.org_id,
        reason: row.reason,
        detail: row.detail,
        created_at: row.created_at,
        run_id: id,
    });
    Ok(paging.page(views.collect()))
}
