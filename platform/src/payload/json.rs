//! Payloads as Temporal's JSON writes them, wherever they are in a document: the codec endpoint's
//! bodies, and histories in files.

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use serde_json::{Map, Value};
use temporalio_common::protos::temporal::api::common::v1::Payload;

use super::Unreadable;

/// Every payload in the document that a codec is asked about, changed; everything else as it is.
///
/// Temporal's own are not: search attributes, and what its SDK notes in markers beside a local
/// activity's result.
pub fn transcode(
    document: &Value,
    change: &impl Fn(Payload) -> Result<Payload, Unreadable>,
) -> Result<Value, Unreadable> {
    match document {
        Value::Object(members) => match read(members) {
            Some(payload) => change(payload).map(|changed| write(&changed)),
            None => inside(members, change).map(Value::Object),
        },
        Value::Array(items) => items
            .iter()
            .map(|item| transcode(item, change))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        other => Ok(other.clone()),
    }
}

fn inside(
    members: &Map<String, Value>,
    change: &impl Fn(Payload) -> Result<Payload, Unreadable>,
) -> Result<Map<String, Value>, Unreadable> {
    let marker = members.get("marker_name").and_then(Value::as_str);
    let of_the_sdk = marker.is_some_and(|name| name.starts_with("core_"));
    let changed = members.iter().map(|(name, value)| {
        let value = match (name.as_str(), value) {
            ("indexed_fields" | "indexedFields", _) => value.clone(),
            ("details", Value::Object(details)) if of_the_sdk => {
                let mut details = details.clone();
                if let Some(result) = details.get_mut("result") {
                    *result = transcode(result, change)?;
                }
                Value::Object(details)
            }
            _ => transcode(value, change)?,
        };
        Ok((name.clone(), value))
    });
    changed.collect()
}

/// A payload is told by its metadata, which names an encoding.
fn read(members: &Map<String, Value>) -> Option<Payload> {
    let metadata = members.get("metadata")?.as_object()?;
    metadata.get("encoding")?;
    let bytes = |value: &Value| BASE64.decode(value.as_str()?).ok();
    let metadata = metadata
        .iter()
        .map(|(name, value)| Some((name.clone(), bytes(value)?)))
        .collect::<Option<_>>()?;
    let data = match members.get("data") {
        Some(data) => bytes(data)?,
        None => Vec::new(),
    };
    Some(Payload {
        metadata,
        data,
        ..Payload::default()
    })
}

fn write(payload: &Payload) -> Value {
    let metadata: Map<String, Value> = payload
        .metadata
        .iter()
        .map(|(name, value)| (name.clone(), BASE64.encode(value).into()))
        .collect();
    let mut members = Map::from_iter([("metadata".to_owned(), Value::Object(metadata))]);
    if !payload.data.is_empty() {
        members.insert("data".to_owned(), BASE64.encode(&payload.data).into());
    }
    Value::Object(members)
}
