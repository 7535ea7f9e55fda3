//! `GET /admin/billing-accounts`

use db::billing::account::Filter;
use domain::balance::{BalanceState, Terms};
use domain::id::OrgId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Query;
use crate::routes::billing::AccountView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::FINANCE_READ)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Params {
    /// Only accounts on these terms: `invoiced` or `prepaid`.
    #[param(value_type = Option<String>)]
    terms: Option<Terms>,
    /// Only accounts in this state.
    #[param(value_type = Option<String>)]
    state: Option<BalanceState>,
}

/// List on which terms organizations use what they use, and how they stand
#[utoipa::path(get, path = "/api/v1/admin/billing-accounts", params(Params, Paging),
    responses((status = 200, description = "One page", body = Page<AccountView>)))]
async fn handler(
    mut reader: Reader,
    Query(params): Query<Params>,
    paging: Paging,
) -> Result<Page<AccountView>, Problem> {
    let after = paging.after::<AccountView, OrgId>()?;
    let filter = Filter {
        org_id: None,
        terms: params.terms,
        state: params.state,
    };
    let rows = db::billing::account::list(reader.conn(), filter, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(AccountView::from).collect()))
}
