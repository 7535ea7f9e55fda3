//! `/admin/reconciliations`: where use, lines, ledger and machines differ.

mod findings;
mod get;
mod list;

use db::billing::reconcile::Reconciliation;
use domain::id::ReconciliationId;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::endpoint::Endpoint;
use crate::resource::Resource;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint(), get::endpoint(), findings::endpoint()]
}

/// A comparison of what is kept in several places. It mends nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reconciliation)]
struct ReconciliationView {
    #[schema(value_type = String)]
    id: ReconciliationId,
    /// What is older was compared before.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// How many differences it found.
    finding_count: i64,
    #[serde(skip)]
    version: i64,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// null: it is at work, or broke off.
    #[schema(required)]
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
}

impl From<Reconciliation> for ReconciliationView {
    fn from(one: Reconciliation) -> Self {
        Self {
            id: one.id,
            since: one.since,
            finding_count: one.findings,
            version: one.version,
            created_at: one.created_at,
            ended_at: one.ended_at,
        }
    }
}

impl Resource for ReconciliationView {
    const KIND: &'static str = "reconciliation";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/reconciliations/{}", self.id)
    }
}
