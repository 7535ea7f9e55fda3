use std::collections::BTreeSet;

use serde_json::Value;

use crate::routes::registry;

fn document() -> Value {
    let text = super::render(&registry()).expect("a document");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn openapi_is_fresh() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../doc/api/openapi.json");
    let committed = std::fs::read_to_string(file).expect("doc/api/openapi.json");
    let generated = super::render(&registry()).expect("a document");
    assert!(
        committed == generated,
        "doc/api/openapi.json is stale: run `berth openapi > doc/api/openapi.json`"
    );
}

#[test]
fn every_reference_resolves_and_every_operation_id_is_unique() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let schemas = document["components"]["schemas"]
        .as_object()
        .expect("schemas");
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    for reference in references {
        let name = reference.trim_start_matches("#/components/schemas/");
        assert!(schemas.contains_key(name), "{reference} leads nowhere");
    }
    let mut seen = BTreeSet::new();
    for path in document["paths"].as_object().expect("paths").values() {
        for operation in path.as_object().expect("operations").values() {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(seen.insert(id.to_owned()), "{id} twice");
        }
    }
    assert_eq!(seen.len(), registry().len());
}

/// Two request types of one name would silently become one schema.
#[test]
fn schema_names_are_unique() {
    let mut seen = std::collections::BTreeMap::new();
    for (name, schema) in registry().into_iter().flat_map(|endpoint| endpoint.schemas) {
        let schema = serde_json::to_value(schema).expect("JSON");
        let known = seen.entry(name.clone()).or_insert_with(|| schema.clone());
        assert_eq!(*known, schema, "two schemas are called {name}");
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            references.extend(
                members
                    .get("$ref")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            );
            members
                .values()
                .for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
