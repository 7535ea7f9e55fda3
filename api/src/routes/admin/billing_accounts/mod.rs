//! `/admin/billing-accounts`: on which terms organizations use what they use, and what they were charged.

mod get;
mod invoices;
mod ledger_entries;
mod lines;
mod list;
mod terms;

use db::PgConnection;
use db::billing::account::Standing;
use domain::id::OrgId;

use crate::endpoint::Endpoint;
use crate::problem::Problem;
use crate::resource::Resource as _;
use crate::routes::billing::AccountView;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        list::endpoint(),
        get::endpoint(),
        terms::endpoint(),
        invoices::endpoint(),
        lines::endpoint(),
        ledger_entries::endpoint(),
    ]
}

/// The account of an organization, if it has one.
async fn known(conn: &mut PgConnection, org: OrgId) -> Result<Standing, Problem> {
    let account = db::billing::account::get(conn, org).await?;
    account.ok_or_else(|| Problem::not_found(AccountView::KIND))
}
