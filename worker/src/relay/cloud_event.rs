//! An event as it goes over the wire: CloudEvents 1.0, JSON, structured mode.

use db::outbox::OutboxEvent;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

/// Who speaks.
const SOURCE: &str = "urn:berth";

/// The event with its attributes. `orgid` and `sequence` are extensions; `sequence` counts within
/// the subject, without gaps.
pub(super) fn render(event: &OutboxEvent) -> Value {
    let subject = &event.data[format!("{}_id", event.aggregate_kind)];
    let mut rendered = json!({
        "specversion": "1.0",
        "id": event.id,
        "source": SOURCE,
        "type": event.type_name,
        "subject": subject,
        "time": event.created_at.format(&Rfc3339).unwrap_or_default(),
        "datacontenttype": "application/json",
        "dataschema": format!("urn:berth:event:{}", event.type_name),
        "sequence": event.seq.to_string(),
        "data": event.data,
    });
    if let Some(org) = event.org_id {
        rendered["orgid"] = json!(org);
    }
    rendered
}
