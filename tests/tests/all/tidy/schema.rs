//! What the schema and the API must not have, read from the committed documents that are
//! themselves proved to be fresh (`erd_is_fresh`, the test of the `OpenAPI` document).

use regex::Regex;

use super::{none, read, root};

/// Columns as the diagram lists them: table, type, name.
fn columns() -> Vec<(String, String, String)> {
    let entity = Regex::new(r"^    (\w+) \{$").unwrap();
    let column = Regex::new(r"^        (\S+) (\w+)").unwrap();
    let mut table = String::new();
    let mut columns = Vec::new();
    for line in read("doc/architecture/erd.md").lines() {
        if let Some(found) = entity.captures(line) {
            found[1].clone_into(&mut table);
        } else if let Some(found) = column.captures(line) {
            columns.push((table.clone(), found[1].to_owned(), found[2].to_owned()));
        }
    }
    assert!(
        columns.len() > 50,
        "the diagram lists {} columns only",
        columns.len()
    );
    columns
}

/// Names that a secret in clear would go by. A hash says so in its name, and a sealed column ends
/// in `_enc`.
fn could_hold_a_secret(name: &str) -> bool {
    let telling = [
        "private",
        "secret",
        "password",
        "passwd",
        "passphrase",
        "credential",
        "token",
        "cookie",
        "seed",
        "pem",
        "api_key",
        "signing_key",
    ];
    let harmless = ["_sha256", "_enc", "_id", "_at"];
    telling.iter().any(|word| name.contains(word))
        && !harmless.iter().any(|end| name.ends_with(end))
}

#[test]
fn no_column_could_hold_a_private_key() {
    let problems: Vec<String> = columns()
        .into_iter()
        .filter(|(_, _, name)| could_hold_a_secret(name))
        .map(|(table, kind, name)| format!("{table}.{name} {kind}"))
        .collect();
    none(&problems, "a column that could hold a secret in clear:");
    assert!(could_hold_a_secret("ssh_private_key") && could_hold_a_secret("client_secret"));
    assert!(!could_hold_a_secret("secret_sha256") && !could_hold_a_secret("ssh_private_key_enc"));
}

/// ENV-07: sealed columns have the type that refuses all but an envelope, and their place is known.
#[test]
fn env_07_sealed_columns_are_envelopes() {
    let known = |table: &str, name: &str| domain::envelope::column::ALL.contains(&(table, name));
    let sealed: Vec<_> = columns()
        .into_iter()
        .filter(|(_, kind, name)| name.ends_with("_enc") || kind == "envelope")
        .collect();
    let problems: Vec<String> = sealed
        .iter()
        .filter(|(table, kind, name)| {
            kind != "envelope" || !name.ends_with("_enc") || !known(table, name)
        })
        .map(|(table, kind, name)| format!("{table}.{name} {kind}"))
        .collect();
    none(
        &problems,
        "a sealed column ends in _enc, is of type envelope and has its line in domain::envelope::column:",
    );
}

#[test]
fn no_route_hands_out_a_private_key() {
    let file = root().join("doc/api/openapi.json");
    let document: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let mut problems = Vec::new();
    for path in document["paths"].as_object().unwrap().keys() {
        if path.ends_with("/ssh-key") || path.contains("private") {
            problems.push(format!("route {path}"));
        }
    }
    names(&document["components"]["schemas"], &mut |name| {
        if name.contains("private_key") || name == "private" {
            problems.push(format!("property {name}"));
        }
    });
    none(&problems, "a way to a private key:");
}

/// Every property name of every schema, however deep.
fn names(value: &serde_json::Value, see: &mut impl FnMut(&str)) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, inner) in members {
                if name == "properties" {
                    for property in inner
                        .as_object()
                        .into_iter()
                        .flat_map(serde_json::Map::keys)
                    {
                        see(property);
                    }
                }
                names(inner, see);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| names(item, see)),
        _ => {}
    }
}

/// IDM-06 to IDM-08 hold by absence: nothing of an answer is kept.
#[test]
fn an_idempotency_record_has_no_room_for_an_answer() {
    let kept: Vec<String> = columns()
        .into_iter()
        .filter(|(table, _, _)| table == "idempotency_keys")
        .map(|(_, _, name)| name)
        .collect();
    assert!(kept.contains(&"fingerprint".to_owned()));
    let text: Vec<&String> = kept
        .iter()
        .filter(|name| {
            ["body", "response", "answer", "header"]
                .iter()
                .any(|word| name.contains(word))
        })
        .collect();
    assert!(text.is_empty(), "{text:?}");
}
