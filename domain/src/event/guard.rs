//! OB-01 and OB-02: what an event's schema may hold. Run by `make check`
//! (`scripts/ci/outbox_payload_guard.sh`); fixtures and waivers lie beside it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Event, MAX_BYTES};

/// Words that name what must not be in an event: in a field's name, a permitted value or a class
/// of data.
const FORBIDDEN: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "jwt",
    "key",
    "credential",
    "private",
    "cookie",
    "session",
    "authorization",
    "bearer",
    "signature",
    "email",
    "mail",
    "phone",
    "address",
    "host",
    "ip",
    "card",
    "iban",
    "cvv",
    "ssn",
    "birth",
    "username",
    "login",
    "fullname",
    "surname",
    "payload",
    "body",
    "pem",
    "cert",
    "certificate",
    "otp",
    "pin",
];
/// Classes of strings that a schema may declare.
const CLASSES: &[&str] = &["code"];

/// Everything that is wrong with a schema, as `path: what`.
fn violations(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    object(schema, "", &mut found);
    let bytes = size(schema);
    if bytes > MAX_BYTES {
        found.push(format!(": may be {bytes} bytes long"));
    }
    found
}

fn object(schema: &Value, path: &str, found: &mut Vec<String>) {
    if schema["additionalProperties"] != Value::Bool(false) {
        found.push(format!("{path}: additionalProperties is not false"));
    }
    for name in [
        "patternProperties",
        "unevaluatedProperties",
        "propertyNames",
    ] {
        if schema.get(name).is_some() {
            found.push(format!("{path}: {name} opens it"));
        }
    }
    let nothing = Map::new();
    for (name, field) in schema["properties"].as_object().unwrap_or(&nothing) {
        let path = format!("{path}/{name}");
        words(name, &path, found);
        value(field, &path, found);
    }
}

fn value(schema: &Value, path: &str, found: &mut Vec<String>) {
    for name in ["$ref", "anyOf", "oneOf", "allOf", "not", "if"] {
        if schema.get(name).is_some() {
            found.push(format!("{path}: {name} hides what it is"));
        }
    }
    match schema["type"].as_str() {
        Some("integer" | "boolean") => {}
        Some("string") => string(schema, path, found),
        Some("object") => object(schema, path, found),
        Some("array") => {
            if schema["maxItems"].as_u64().is_none() {
                found.push(format!("{path}: no maxItems"));
            }
            value(&schema["items"], path, found);
        }
        _ => found.push(format!(
            "{path}: not an id, enum, time, number or list of these"
        )),
    }
}

/// An enum, a time, an id, or a class of data that is known; always with an end.
fn string(schema: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(values) = schema["enum"].as_array() {
        for value in values.iter().filter_map(Value::as_str) {
            words(value, path, found);
        }
        return;
    }
    if schema["maxLength"].as_u64().is_none() {
        found.push(format!("{path}: no maxLength"));
    }
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    let is_id = pattern.ends_with("_[0-9a-f]{32}$") && pattern.starts_with('^');
    let class = schema["x-data-class"].as_str();
    if let Some(class) = class {
        words(class, path, found);
    }
    let is_known = class.is_some_and(|class| CLASSES.contains(&class));
    if !(is_id || schema["format"] == "date-time" || is_known && pattern.starts_with('^')) {
        found.push(format!("{path}: a free string"));
    }
}

/// Forbidden words in a name, whichever way its words are joined, in singular or plural.
fn words(name: &str, path: &str, found: &mut Vec<String>) {
    let mut split = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() || !c.is_ascii_alphanumeric() {
            split.push(' ');
        }
        split.extend(c.to_lowercase().filter(char::is_ascii_alphanumeric));
    }
    let joined = split.replace(' ', "");
    for word in FORBIDDEN {
        let whole = split.split(' ').any(|w| {
            w.strip_suffix("es").unwrap_or(w) == *word
                || w.trim_end_matches('s') == *word
                || w == *word
        });
        if whole || (word.len() >= 5 && joined.contains(word)) {
            found.push(format!("{path}: `{word}` in {name}"));
        }
    }
}

/// The longest JSON that follows a schema, in bytes; each character of a string may be escaped.
fn size(schema: &Value) -> usize {
    let number = |name: &str| {
        let number = schema[name].as_u64().unwrap_or(u64::MAX);
        usize::try_from(number).unwrap_or(usize::MAX)
    };
    match schema["type"].as_str() {
        Some("object") => {
            let fields = schema["properties"].as_object();
            fields
                .into_iter()
                .flatten()
                .fold(2, |sum: usize, (name, field)| {
                    sum.saturating_add(name.len() + 4)
                        .saturating_add(size(field))
                })
        }
        Some("array") => {
            number("maxItems").saturating_mul(size(&schema["items"]).saturating_add(1))
        }
        Some("string") => match schema["enum"].as_array() {
            Some(values) => values
                .iter()
                .map(|v| v.to_string().len())
                .max()
                .unwrap_or(0),
            None => number("maxLength").saturating_mul(6).saturating_add(2),
        },
        _ => 24,
    }
}

/// A violation that somebody answers for, until a day.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiver {
    event: String,
    violation: String,
    owner: String,
    /// The last day, `YYYY-MM-DD`.
    expires: String,
    reason: String,
}

/// What no waiver covers, and the waivers that cover nothing or have no owner, reason or time left.
fn judge(schemas: &BTreeMap<String, Value>, waivers: &[Waiver], today: &str) -> Vec<String> {
    let mut open = Vec::new();
    let mut used = vec![false; waivers.len()];
    for (event, schema) in schemas {
        for violation in violations(schema) {
            let waived = waivers
                .iter()
                .position(|w| w.event == *event && w.violation == violation);
            match waived {
                Some(at) => used[at] = true,
                None => open.push(format!("{event}{violation}")),
            }
        }
    }
    for (waiver, used) in waivers.iter().zip(used) {
        let sound = !waiver.owner.trim().is_empty() && !waiver.reason.trim().is_empty();
        if !used || !sound || waiver.expires.len() != 10 || waiver.expires.as_str() < today {
            open.push(format!("waiver of {}: {}", waiver.event, waiver.violation));
        }
    }
    open
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a waiver ends by the calendar")]
fn today() -> String {
    let today = time::OffsetDateTime::now_utc().date();
    format!(
        "{:04}-{:02}-{:02}",
        today.year(),
        u8::from(today.month()),
        today.day()
    )
}

fn own_schemas() -> BTreeMap<String, Value> {
    Event::schemas()
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema.to_value()))
        .collect()
}

#[test]
fn ob_01_ob_02_every_event_is_closed_small_and_without_forbidden_words() {
    let waivers: Vec<Waiver> = read(include_str!("guard/waivers.json"));
    assert_eq!(
        judge(&own_schemas(), &waivers, &today()),
        Vec::<String>::new()
    );
}

#[test]
fn ob_02_fixtures_thirty_bad_are_caught_and_thirty_good_pass() {
    let bad: BTreeMap<String, Value> = read(include_str!("guard/bad.json"));
    let good: BTreeMap<String, Value> = read(include_str!("guard/good.json"));
    assert!(bad.len() >= 30 && good.len() >= 30);
    for (name, field) in bad {
        let found = violations(&with(&name, &field));
        assert!(!found.is_empty(), "{name} passes: {field}");
    }
    for (name, field) in good {
        let found = violations(&with(&name, &field));
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

/// An event of one field, or the whole schema where the fixture is one.
fn with(name: &str, field: &Value) -> Value {
    if let Some(schema) = field.get("schema") {
        return schema.clone();
    }
    serde_json::json!({
        "type": "object", "additionalProperties": false, "properties": { name: field },
    })
}

#[test]
fn ob_02_a_waiver_needs_an_owner_a_reason_time_left_and_something_to_waive() {
    let schemas = BTreeMap::from([(
        "e".to_owned(),
        with("token", &read(r#"{"type":"integer"}"#)),
    )]);
    let waiver = |owner: &str, expires: &str, violation: &str| Waiver {
        event: "e".to_owned(),
        violation: violation.to_owned(),
        owner: owner.to_owned(),
        expires: expires.to_owned(),
        reason: "a count of tokens".to_owned(),
    };
    let what = "/token: `token` in token";
    let judged = |waivers: &[Waiver]| judge(&schemas, waivers, "2030-06-15").len();
    assert_eq!(judged(&[]), 1);
    assert_eq!(judged(&[waiver("ada", "2030-06-15", what)]), 0);
    assert_eq!(judged(&[waiver("ada", "2030-06-14", what)]), 1);
    assert_eq!(judged(&[waiver(" ", "2030-06-15", what)]), 1);
    assert_eq!(judged(&[waiver("ada", "2030-06-15", "/other: x")]), 2);
}
