//! Money on its way to an organization, whoever tells of it.

use db::PgConnection;
use db::billing::{Account, account};
use domain::balance::Terms;
use domain::id::OrgId;
use domain::money::{AMOUNT_MAX_MICROS, Money};

use crate::problem::Problem;

/// Holds the account that the money goes to, or says why it cannot. An account that is made now is on
/// these terms. What is wrong is pointed at behind `at`.
pub(crate) async fn ready(
    conn: &mut PgConnection,
    org: OrgId,
    money: Money,
    terms: Terms,
    at: &str,
) -> Result<(), Problem> {
    if !(1..=AMOUNT_MAX_MICROS).contains(&money.amount_micros) {
        let detail = format!("must be between 1 and {AMOUNT_MAX_MICROS}");
        return Err(Problem::invalid(
            format!("{at}/amount/amount_micros"),
            detail,
        ));
    }
    if db::organization::get(conn, org).await?.is_none() {
        let detail = "there is no such organization";
        return Err(Problem::invalid(format!("{at}/organization_id"), detail));
    }
    let held = account::hold(conn, org, terms).await?;
    let wish = Account {
        currency: money.currency,
        ..held
    };
    if held.currency != money.currency && !account::set_currency(conn, wish).await? {
        let detail = format!("the account is kept in {}", held.currency);
        return Err(Problem::invalid(format!("{at}/amount/currency"), detail));
    }
    Ok(())
}
