//! `/admin/archives`: partitions that lie in the object store.

mod get;
mod list;
mod restore;
mod verify;

use db::archive::Archive;
use domain::data_growth::Guarded;
use domain::id::ArchiveId;
use domain::name::Name;
use domain::partition::Task;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::authorization::{Action, On};
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::resource::Resource;
use crate::routes::admin::maintenances::{Run, begin};
use crate::routes::operations::OperationView;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        list::endpoint(),
        get::endpoint(),
        verify::endpoint(),
        restore::endpoint(),
    ]
}

/// A partition whose rows lie in the object store.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Archive)]
struct ArchiveView {
    #[schema(value_type = String)]
    id: ArchiveId,
    #[schema(value_type = String, example = "usage_records")]
    table: Guarded,
    #[schema(example = "usage_records_p20260101")]
    partition: String,
    /// `kept`: in the database, too; `archived`: here alone; `restored`: brought back.
    state: &'static str,
    /// Start of the time whose rows it holds; null: it holds all that is older.
    #[serde(with = "time::serde::rfc3339::option")]
    since: Option<OffsetDateTime>,
    /// Its end.
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    rows: i64,
    /// Of the file.
    bytes: i64,
    /// Where its file is, in the object store.
    object: String,
    /// What the file holds, signed by the key that it names (`/.well-known/jwks.json`).
    #[schema(value_type = Object)]
    manifest: Value,
    /// When it was last read back, and was right.
    #[serde(with = "time::serde::rfc3339")]
    verified_at: OffsetDateTime,
    /// Null: its partition is in the database.
    #[serde(with = "time::serde::rfc3339::option")]
    dropped_at: Option<OffsetDateTime>,
    /// Until when a partition that was brought back stays.
    #[serde(with = "time::serde::rfc3339::option")]
    held_until: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(skip)]
    version: i64,
}

impl From<Archive> for ArchiveView {
    fn from(archive: Archive) -> Self {
        let state = match (archive.dropped_at, archive.held_until) {
            (Some(_), _) => "archived",
            (None, Some(_)) => "restored",
            (None, None) => "kept",
        };
        Self {
            id: archive.id,
            table: archive.table,
            partition: archive.partition,
            state,
            since: archive.since,
            until: archive.until,
            rows: archive.rows,
            bytes: archive.bytes,
            object: format!("archives/{}", archive.object_path),
            manifest: archive.manifest,
            verified_at: archive.verified_at,
            dropped_at: archive.dropped_at,
            held_until: archive.held_until,
            created_at: archive.created_at,
            updated_at: archive.updated_at,
            version: archive.version,
        }
    }
}

impl Resource for ArchiveView {
    const KIND: &'static str = "archive";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/archives/{}", self.id)
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ArchiveReason)]
struct Reason {
    /// Why, for the audit log; one line.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    reason: Name,
}

/// Who may have something done with an archive.
fn guard(action: &'static Action) -> Guard {
    Guard {
        authentication: Authentication::PlatformOperator,
        rate: RateClass::Admin,
        idempotency: Idempotency::of::<OperationView>(),
        action: Some(action),
    }
}

/// Has something done with an archive.
async fn handle(
    mutation: Mutation,
    id: ArchiveId,
    task: Task,
    request: &Reason,
) -> Result<Committed<OperationView>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    let found = db::archive::find(permitted.conn(), id).await?;
    let found = found.ok_or_else(|| Problem::not_found(ArchiveView::KIND))?;
    let reason = request.reason.as_str();
    permitted.note(json!({"archive": id, "partition": found.partition, "reason": reason}));
    let run = Run {
        task,
        only: Some(found.table),
        archive_id: Some(id),
        reason,
    };
    begin(permitted, run).await
}
