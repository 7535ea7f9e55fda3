//! What an auditor reads of a rotation: who, why, which keys, when, and whether that was in time.

use db::rotation::Rotation;
use domain::rotation::{Mode, Outcome};
use platform::signing::PUBLIC_COPY_AGE;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::machine::Fault;

/// Targets of a broken glass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) contain_seconds: i64,
    pub(super) rekey_seconds: i64,
}

/// All of it but the signature.
pub(super) fn members(
    rotation: &Rotation,
    outcome: Outcome,
    limits: Limits,
    now: OffsetDateTime,
) -> Result<Map<String, Value>, Fault> {
    let text = |at: OffsetDateTime| at.format(&Rfc3339).map_err(Fault::own);
    let maybe = |at: Option<OffsetDateTime>| at.map(text).transpose();
    let done = outcome == Outcome::Succeeded;
    let targets: Vec<Value> = match rotation.mode {
        Mode::Scheduled => Vec::new(),
        Mode::BreakGlass => [
            // Who verifies elsewhere may have kept the published keys for that long.
            (
                "contained",
                rotation.refused_at.map(|at| at + PUBLIC_COPY_AGE),
                limits.contain_seconds,
            ),
            ("rekeyed", done.then_some(now), limits.rekey_seconds),
        ]
        .into_iter()
        .map(|(name, at, limit)| target(rotation.created_at, name, at, limit))
        .collect(),
    };
    let members = json!({
        "rotation_id": rotation.id,
        "rotation_kind": rotation.purpose,
        "mode": rotation.mode,
        "reason": rotation.reason,
        "requested_by": rotation.requested_by,
        "outcome": outcome,
        "old_key": rotation.old_kid,
        "new_key": rotation.new_kid,
        "requested_at": text(rotation.created_at)?,
        "published_at": maybe(rotation.published_at)?,
        "activated_at": maybe(rotation.activated_at)?,
        "revoked_at": maybe(rotation.revoked_at)?,
        "refused_at": maybe(rotation.refused_at)?,
        "ended_at": text(now)?,
        "ended_keys": rotation.ended_kids,
        "documents_resigned": rotation.documents_resigned,
        "documents_refused": rotation.documents_refused,
        // The new key signs only after it was proved to.
        "new_key_proved": rotation.activated_at.is_some(),
        "ended_keys_refused": rotation.refused_at.is_some(),
        "targets": targets,
    });
    match members {
        Value::Object(members) => Ok(members),
        _ => Ok(Map::new()),
    }
}

fn target(since: OffsetDateTime, name: &str, at: Option<OffsetDateTime>, limit: i64) -> Value {
    let took = at.map(|at| (at - since).whole_seconds());
    json!({
        "name": name,
        "limit_seconds": limit,
        "took_seconds": took,
        "met": took.is_some_and(|took| took <= limit),
    })
}
