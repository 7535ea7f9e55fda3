//! Whether an organization can pay for what it asks for.

use db::PgConnection;
use db::allocation::transition::Held;
use db::billing::account;
use db::billing::funds::{self, Wish};
use domain::balance::Terms;
use domain::policy::{self, Scope};
use domain::reason::Code;

use crate::refusal::Refusal;

/// What speaks against it: a cap that it would pass, or a prepaid balance that does not cover its
/// start beside that of the others which are let in and do not run yet. Until the transaction ends,
/// nothing else of the organization is let in.
pub(crate) async fn lacking(conn: &mut PgConnection, held: &Held) -> Result<Option<Code>, Refusal> {
    let org = held.org_id;
    db::billing::guard::be_brief(conn).await?;
    let prepaid = db::policy::resolve(conn, &policy::PREPAID, Scope::Platform).await?;
    account::hold(conn, org, Terms::of_new_account(prepaid)).await?;
    let scope = Scope::Organization(org);
    let wish = Wish {
        org_id: org,
        sku: &held.sku,
        gpu_count: held.gpu_count,
        hold_seconds: db::policy::resolve(conn, &policy::START_HOLD, scope).await?,
        allocation_id: Some(held.id),
    };
    Ok(funds::get(conn, wish).await?.lacking())
}
