//! `/admin/rotations`: keys that are replaced, in time or as they were stolen.

mod create;
mod get;
mod list;

use db::rotation::Rotation;
use domain::id::{OperationId, RotationId, UserId};
use domain::rotation::{Mode, Outcome};
use domain::signing_key::{Kid, Purpose};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::endpoint::Endpoint;
use crate::resource::Resource;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![create::endpoint(), list::endpoint(), get::endpoint()]
}

/// A key that is replaced.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rotation)]
struct RotationView {
    #[schema(value_type = String)]
    id: RotationId,
    /// `jwt_signer` or `terminal_signer`.
    #[schema(value_type = String)]
    kind: Purpose,
    /// `scheduled` or `break_glass`.
    #[schema(value_type = String)]
    mode: Mode,
    reason: String,
    /// Null: the schedule.
    #[schema(value_type = Option<String>, required)]
    requested_by: Option<UserId>,
    #[schema(value_type = Option<String>, required)]
    old_key: Option<Kid>,
    #[schema(value_type = Option<String>, required)]
    new_key: Option<Kid>,
    /// Since when the new key is published.
    #[serde(with = "time::serde::rfc3339::option")]
    published_at: Option<OffsetDateTime>,
    /// Since when it signs.
    #[serde(with = "time::serde::rfc3339::option")]
    activated_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
    /// When it was seen that what the old key signed is refused.
    #[serde(with = "time::serde::rfc3339::option")]
    refused_at: Option<OffsetDateTime>,
    /// Every key that it revoked.
    #[schema(value_type = Vec<String>)]
    ended_keys: Vec<Kid>,
    /// Receipts and evidence that the new key signed in their place.
    documents_resigned: i64,
    /// Those that the ended keys had never signed, whatever they say.
    documents_refused: i64,
    /// `succeeded`, `called_off` or `failed`; null: it is under way.
    #[schema(value_type = Option<String>, required)]
    outcome: Option<Outcome>,
    /// What was done and when, signed; `berth rotate verify` proves it. Null: it is under way.
    #[schema(value_type = Option<Object>, required)]
    evidence: Option<serde_json::Value>,
    /// What shows its steps.
    #[schema(value_type = Option<String>, required)]
    operation_id: Option<OperationId>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    #[serde(skip)]
    version: i64,
}

impl From<Rotation> for RotationView {
    fn from(rotation: Rotation) -> Self {
        Self {
            id: rotation.id,
            kind: rotation.purpose,
            mode: rotation.mode,
            reason: rotation.reason,
            requested_by: rotation.requested_by,
            old_key: rotation.old_kid,
            new_key: rotation.new_kid,
            published_at: rotation.published_at,
            activated_at: rotation.activated_at,
            revoked_at: rotation.revoked_at,
            refused_at: rotation.refused_at,
            ended_keys: rotation.ended_kids,
            documents_resigned: rotation.documents_resigned,
            documents_refused: rotation.documents_refused,
            outcome: rotation.outcome,
            evidence: rotation.evidence,
            operation_id: rotation.operation_id,
            created_at: rotation.created_at,
            updated_at: rotation.updated_at,
            ended_at: rotation.ended_at,
            version: rotation.version,
        }
    }
}

impl Resource for RotationView {
    const KIND: &'static str = "rotation";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/rotations/{}", self.id)
    }
}
