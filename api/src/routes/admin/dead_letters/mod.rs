//! `/admin/dead-letters`: events and intents that could not be delivered.

mod list;
mod replay;

use db::PgConnection;
use db::dead_letter::{DeadLetter, Source};
use domain::id::{DeadLetterId, OrgId, UserId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::endpoint::Endpoint;
use crate::resource::{Recall, Resource};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint(), replay::endpoint()]
}

/// An event or intent that could not be delivered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct DeadLetterView {
    #[schema(value_type = String)]
    id: DeadLetterId,
    /// `event` or `intent`.
    source: &'static str,
    /// The event's type, or the id of the workflow that was to start or to wake.
    subject: String,
    /// Why it was given up.
    reason: String,
    attempts: i32,
    #[schema(value_type = Option<String>)]
    organization_id: Option<OrgId>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    replayed_at: Option<OffsetDateTime>,
    #[schema(value_type = Option<String>)]
    replayed_by: Option<UserId>,
    #[serde(skip)]
    version: i64,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(row: DeadLetter) -> Self {
        Self {
            id: row.id,
            source: match row.source {
                Source::Event => "event",
                Source::Intent => "intent",
            },
            subject: row.subject,
            reason: row.reason,
            attempts: row.attempts,
            organization_id: row.org_id,
            created_at: row.created_at,
            replayed_at: row.replayed_at,
            replayed_by: row.replayed_by,
            version: row.version,
        }
    }
}

impl Resource for DeadLetterView {
    const KIND: &'static str = "dead_letter";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/dead-letters/{}", self.id)
    }
}

impl Recall for DeadLetterView {
    async fn recall(_: &App, conn: &mut PgConnection, id: &str) -> db::Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(db::dead_letter::get(conn, id).await?.map(Self::from))
    }
}
