//! Accounts: who is billed, in which currency and on which terms, and how the guard saw it last.

use domain::balance::{BalanceState, Terms};
use domain::id::OrgId;
use domain::money::Currency;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::{Result, one_row, parse};

/// Who is billed, in which currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub org_id: OrgId,
    pub currency: Currency,
}

/// An account with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub org_id: OrgId,
    pub currency: Currency,
    pub terms: Terms,
    /// Why an operator set them; `None`: nobody did.
    pub terms_reason: Option<String>,
    pub state: BalanceState,
    /// The last instant at which something was left.
    pub solvent_at: Option<OffsetDateTime>,
    /// The instant of zero.
    pub depleted_at: Option<OffsetDateTime>,
    /// When it ends if nothing changes.
    pub zero_at: Option<OffsetDateTime>,
    /// Above it nothing more is let in.
    pub spend_cap_micros_per_hour: Option<i64>,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// Which accounts are asked for; all conditions hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    pub org_id: Option<OrgId>,
    pub terms: Option<Terms>,
    pub state: Option<BalanceState>,
}

/// The currency that an organization's account is kept in, or would be.
pub async fn currency_of(conn: &mut PgConnection, org: OrgId) -> Result<Currency> {
    let code = sqlx::query_scalar!(
        "select currency from billing_accounts where org_id = $1",
        org.uuid()
    )
    .fetch_optional(conn)
    .await?;
    code.map_or(Ok(Currency::DEFAULT), |code| {
        super::currency("billing_accounts", org, &code)
    })
}

/// The account of an organization, made on these terms where it is missing, held until the transaction
/// ends.
pub async fn hold(conn: &mut PgConnection, org: OrgId, terms: Terms) -> Result<Account> {
    sqlx::query!(
        "insert into billing_accounts (org_id, terms, solvent_at) values ($1, $2, clock_timestamp())
         on conflict do nothing",
        org.uuid(),
        terms.as_str(),
    )
    .execute(&mut *conn)
    .await?;
    let code = sqlx::query_scalar!(
        "select currency from billing_accounts where org_id = $1 for update",
        org.uuid()
    )
    .fetch_one(conn)
    .await?;
    Ok(Account {
        org_id: org,
        currency: super::currency("billing_accounts", org, &code)?,
    })
}

/// Accounts that the transaction may see, by organization, behind `after`.
pub async fn list(
    conn: &mut PgConnection,
    filter: Filter,
    after: Option<OrgId>,
    limit: i64,
) -> Result<Vec<Standing>> {
    let rows = sqlx::query!(
        "select org_id, currency, terms, terms_reason, state, solvent_at, depleted_at, zero_at,
                spend_cap_micros_per_hour, version, created_at, updated_at
         from billing_accounts
         where ($1::uuid is null or org_id = $1) and ($2::text is null or terms = $2)
           and ($3::text is null or state = $3) and ($4::uuid is null or org_id > $4)
         order by org_id limit $5",
        filter.org_id.map(OrgId::uuid),
        filter.terms.map(Terms::as_str),
        filter.state.map(BalanceState::as_str),
        after.map(OrgId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    let table = "billing_accounts";
    rows.into_iter()
        .map(|row| {
            let org_id = OrgId::from(row.org_id);
            Ok(Standing {
                org_id,
                currency: super::currency(table, org_id, &row.currency)?,
                terms: parse(table, "terms", org_id, &row.terms)?,
                terms_reason: row.terms_reason,
                state: parse(table, "state", org_id, &row.state)?,
                solvent_at: row.solvent_at,
                depleted_at: row.depleted_at,
                zero_at: row.zero_at,
                spend_cap_micros_per_hour: row.spend_cap_micros_per_hour,
                version: row.version,
                created_at: row.created_at,
                updated_at: row.updated_at,
            })
        })
        .collect()
}

pub async fn get(conn: &mut PgConnection, org: OrgId) -> Result<Option<Standing>> {
    let filter = Filter {
        org_id: Some(org),
        ..Filter::default()
    };
    Ok(list(conn, filter, None, 1).await?.pop())
}

/// Lets an account be kept in another currency, as long as nothing was used and no money has moved;
/// a cap in the old one is gone. `false`: it was, or has.
pub async fn set_currency(conn: &mut PgConnection, account: Account) -> Result<bool> {
    let done = sqlx::query!(
        "update billing_accounts b set currency = $2, spend_cap_micros_per_hour = null
         where b.org_id = $1 and not exists (select from ledger_transactions t where t.org_id = b.org_id)
           and not exists (select from invoices i where i.org_id = b.org_id)
           and not exists (select from usage_intervals u where u.org_id = b.org_id)
           and not exists (select from usage_records r where r.org_id = b.org_id)",
        account.org_id.uuid(),
        account.currency.code(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Changes the terms on an operator's word. A prepaid balance counts as solvent until now.
pub async fn set_terms(
    conn: &mut PgConnection,
    org: OrgId,
    terms: Terms,
    reason: &str,
) -> Result<()> {
    let done = sqlx::query!(
        "update billing_accounts
         set terms = $2, terms_reason = $3,
             solvent_at = case when terms = $2 then solvent_at else clock_timestamp() end,
             state = case when terms = $2 then state else 'healthy' end,
             depleted_at = case when terms = $2 then depleted_at end,
             zero_at = case when terms = $2 then zero_at end
         where org_id = $1",
        org.uuid(),
        terms.as_str(),
        reason,
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Makes an account prepaid that is about to get its first money and has used nothing, unless an
/// operator set its terms. `false`: its terms stay.
pub async fn prepay(conn: &mut PgConnection, org: OrgId) -> Result<bool> {
    let done = sqlx::query!(
        "update billing_accounts b set terms = 'prepaid', solvent_at = clock_timestamp()
         where b.org_id = $1 and b.terms = 'invoiced' and b.terms_reason is null
           and not exists (select from ledger_transactions t where t.org_id = b.org_id)
           and not exists (select from usage_intervals i where i.org_id = b.org_id)
           and not exists (select from usage_records r where r.org_id = b.org_id)",
        org.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Sets or takes away the cap on what an organization may spend in an hour.
pub async fn set_spend_cap(
    conn: &mut PgConnection,
    org: OrgId,
    micros_per_hour: Option<i64>,
) -> Result<()> {
    let done = sqlx::query!(
        "update billing_accounts set spend_cap_micros_per_hour = $2 where org_id = $1",
        org.uuid(),
        micros_per_hour,
    )
    .execute(conn)
    .await?;
    one_row(&done)
}
