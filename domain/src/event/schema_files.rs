//! The committed schemas under `doc/events/`: what consumers were promised.
//!
//! After a change of an event: `cargo test --workspace -- --ignored write_event_schemas`. It
//! refuses a change that breaks consumers; such a change is a new type of event.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::Event;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../doc/events")
}

fn committed() -> BTreeMap<String, Value> {
    std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            (name, serde_json::from_str(&text).unwrap())
        })
        .collect()
}

fn generated() -> BTreeMap<String, Value> {
    Event::schemas()
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema.to_value()))
        .collect()
}

/// What a consumer of the old schema could trip over in the new one. A new field is none:
/// consumers skip what they do not know.
fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let required = |schema: &Value, name: &str| {
        let listed = schema["required"].as_array().into_iter().flatten();
        listed.into_iter().any(|field| field == name)
    };
    let fields = old["properties"].as_object();
    let mut found = Vec::new();
    for (name, field) in fields.into_iter().flatten() {
        let now = &new["properties"][name];
        if now.is_null() || required(old, name) && !required(new, name) {
            found.push(format!("{name} may be missing"));
        } else if shape(field) != shape(now) {
            found.push(format!("{name} has another form"));
        }
    }
    found
}

/// A field without what a consumer does not read.
fn shape(field: &Value) -> Value {
    let mut shape = field.clone();
    if let Some(fields) = shape.as_object_mut() {
        fields.remove("description");
    }
    shape
}

#[test]
fn ob_01_committed_schemas_are_fresh() {
    let (committed, generated) = (committed(), generated());
    let names = |schemas: &BTreeMap<String, Value>| schemas.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&generated));
    for (name, schema) in &generated {
        assert_eq!(
            committed.get(name),
            Some(schema),
            "doc/events/{name}.json is stale"
        );
    }
}

#[test]
#[ignore = "writes doc/events"]
fn write_event_schemas() {
    let committed = committed();
    for (name, schema) in generated() {
        if let Some(old) = committed.get(&name) {
            assert_eq!(breaks(old, &schema), Vec::<String>::new(), "{name}");
        }
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        std::fs::write(folder().join(format!("{name}.json")), text).unwrap();
    }
    for name in committed
        .keys()
        .filter(|name| !generated().contains_key(*name))
    {
        std::fs::remove_file(folder().join(format!("{name}.json"))).unwrap();
    }
}

#[test]
fn ob_02_changes_that_break_consumers_are_seen() {
    let schema = |fields: Value, required: Value| serde_json::json!({"properties": fields, "required": required});
    let int = || serde_json::json!({"type": "integer"});
    let old = schema(
        serde_json::json!({"a": int(), "b": int()}),
        serde_json::json!(["a"]),
    );
    let grown = serde_json::json!({"a": int(), "b": int(), "c": int()});
    let described = serde_json::json!({"a": {"type": "integer", "description": "x"}, "b": int()});
    let cases = [
        (old.clone(), 0),
        (schema(grown, serde_json::json!(["a", "c"])), 0),
        (schema(described, serde_json::json!(["a", "b"])), 0),
        (
            schema(serde_json::json!({"b": int()}), serde_json::json!([])),
            1,
        ),
        (
            schema(
                serde_json::json!({"a": int(), "b": int()}),
                serde_json::json!([]),
            ),
            1,
        ),
        (
            schema(
                serde_json::json!({"a": {"type": "string"}, "b": int()}),
                serde_json::json!(["a"]),
            ),
            1,
        ),
    ];
    for (new, count) in cases {
        assert_eq!(breaks(&old, &new).len(), count, "{new}");
    }
}
