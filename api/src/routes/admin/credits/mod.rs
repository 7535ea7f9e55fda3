//! `/admin/credits`: money that operators give to organizations.

mod create;
mod list;

use db::PgConnection;
use db::billing::credit::Credit;
use domain::id::{CreditId, LedgerTransactionId, OrgId, UserId};
use domain::money::Money;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::endpoint::Endpoint;
use crate::resource::{Recall, Resource};
use crate::routes::billing::MoneySchema;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![create::endpoint(), list::endpoint()]
}

/// Money that an organization was given.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Credit)]
struct CreditView {
    #[schema(value_type = String)]
    id: CreditId,
    #[schema(value_type = String)]
    organization_id: OrgId,
    #[schema(value_type = MoneySchema)]
    amount: Money,
    reason: String,
    /// Use is paid from the lowest first, then from what expires first.
    priority: i32,
    /// When what is left of it is taken back; null: it stays.
    #[schema(required)]
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    #[schema(value_type = String)]
    ledger_transaction_id: LedgerTransactionId,
    /// Who gave it.
    #[schema(value_type = String)]
    created_by: UserId,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<Credit> for CreditView {
    fn from(credit: Credit) -> Self {
        Self {
            id: credit.id,
            organization_id: credit.org_id,
            amount: credit.money,
            reason: credit.reason,
            priority: credit.priority,
            expires_at: credit.expires_at,
            ledger_transaction_id: credit.transaction_id,
            created_by: credit.created_by,
            created_at: credit.created_at,
        }
    }
}

impl Resource for CreditView {
    const KIND: &'static str = "credit";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        "/api/v1/admin/credits".to_owned()
    }
}

impl Recall for CreditView {
    async fn recall(_: &App, conn: &mut PgConnection, id: &str) -> db::Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(db::billing::credit::get(conn, id).await?.map(Self::from))
    }
}
