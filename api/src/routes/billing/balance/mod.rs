//! `/balance`: what an organization has, and what it lets itself spend.

mod get;
mod spend_cap;

use db::PgConnection;
use db::billing::account::Standing;
use domain::balance::{BalanceState, Terms};
use domain::id::OrgId;
use domain::money::Money;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::MoneySchema;
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::resource::{Recall, Resource};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![get::endpoint(), spend_cap::endpoint()]
}

/// On which terms an organization uses what it uses, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BillingAccount)]
pub(crate) struct AccountView {
    #[schema(value_type = String)]
    organization_id: OrgId,
    /// ISO 4217.
    #[schema(value_type = String, example = "USD")]
    currency: domain::money::Currency,
    /// `invoiced`: pays afterwards; `prepaid`: what it has is released when its balance is used up.
    #[schema(value_type = String, example = "prepaid")]
    terms: Terms,
    /// Why an operator set them; null: nobody did.
    #[schema(required)]
    terms_reason: Option<String>,
    /// Of a prepaid balance: `healthy`, `low`, `auto_release_pending` or `depleted`.
    #[schema(value_type = String, example = "healthy")]
    state: BalanceState,
    /// When the balance ends, if nothing changes; null: it does not.
    #[schema(required)]
    #[serde(with = "time::serde::rfc3339::option")]
    zero_at: Option<OffsetDateTime>,
    /// Nothing is let in that would make an hour cost more; null: no cap.
    #[schema(value_type = Option<MoneySchema>, required)]
    spend_cap_per_hour: Option<Money>,
    #[serde(skip)]
    version: i64,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl From<Standing> for AccountView {
    fn from(account: Standing) -> Self {
        Self {
            organization_id: account.org_id,
            currency: account.currency,
            terms: account.terms,
            terms_reason: account.terms_reason,
            state: account.state,
            zero_at: account.zero_at,
            spend_cap_per_hour: account
                .spend_cap_micros_per_hour
                .map(|amount_micros| Money {
                    amount_micros,
                    currency: account.currency,
                }),
            version: account.version,
            created_at: account.created_at,
            updated_at: account.updated_at,
        }
    }
}

impl Resource for AccountView {
    const KIND: &'static str = "billing_account";

    fn id(&self) -> String {
        self.organization_id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/billing-accounts/{}", self.organization_id)
    }
}

impl Recall for AccountView {
    async fn recall(_: &App, conn: &mut PgConnection, id: &str) -> db::Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(db::billing::account::get(conn, id).await?.map(Self::from))
    }
}
