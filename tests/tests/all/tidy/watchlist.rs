//! `doc/governance/watchlist.md`: whole, in its four words, and `done` only with tests that exist.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::{none, read, sources};

const STATUSES: [&str; 4] = ["open", "planned", "in_progress", "done"];
const FIELDS: [&str; 8] = [
    "Status",
    "Why",
    "Baseline",
    "Target",
    "Remaining",
    "Owner",
    "Trigger",
    "Tests",
];

struct Item {
    id: String,
    title: String,
    fields: BTreeMap<String, String>,
}

fn items() -> Vec<Item> {
    let heading = Regex::new(r"^### (WL-\d{2}) (.+)$").unwrap();
    let field = Regex::new(r"^- \*\*([A-Z][a-z]+):\*\* (.+)$").unwrap();
    let mut items: Vec<Item> = Vec::new();
    for line in read("doc/governance/watchlist.md").lines() {
        if let Some(found) = heading.captures(line) {
            items.push(Item {
                id: found[1].to_owned(),
                title: found[2].to_owned(),
                fields: BTreeMap::new(),
            });
        } else if let (Some(item), Some(found)) = (items.last_mut(), field.captures(line)) {
            let twice = item.fields.insert(found[1].to_owned(), found[2].to_owned());
            assert!(twice.is_none(), "{}: {} twice", item.id, &found[1]);
        }
    }
    items
}

/// Names of all test functions, those inside `proptest!` included.
fn test_names() -> BTreeSet<String> {
    let marked = Regex::new(r"#\[(?:tokio::)?test(?:\([^\]]*\))?\]\s*(?:#\[[^\]]*\]\s*|//[^\n]*\n\s*)*(?:pub )?(?:async )?fn (\w+)").unwrap();
    sources(&[""])
        .iter()
        .flat_map(|file| {
            let text = read(file);
            marked
                .captures_iter(&text)
                .map(|c| c[1].to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_item_is_whole() {
    let items = items();
    let ids: BTreeSet<&str> = items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids.len(), items.len(), "an id stands twice");
    let expected: BTreeSet<String> = (1..=items.len()).map(|n| format!("WL-{n:02}")).collect();
    assert_eq!(
        ids,
        expected.iter().map(String::as_str).collect(),
        "ids run without a gap"
    );

    let mut problems = Vec::new();
    for item in &items {
        for name in FIELDS {
            if !item.fields.contains_key(name) {
                problems.push(format!("{} {}: no field {name}", item.id, item.title));
            }
        }
        let status = item
            .fields
            .get("Status")
            .map_or("", |s| s.trim_matches('`'));
        if !STATUSES.contains(&status) {
            problems.push(format!("{} {}: status {status:?}", item.id, item.title));
        }
    }
    none(&problems, "doc/governance/watchlist.md is not whole:");
}

/// The list that this project answers: five current items, seven accepted trade-offs, fourteen
/// additions before the beta. None may be dropped; more may come.
#[test]
fn no_item_was_dropped() {
    let text = read("doc/governance/watchlist.md");
    let count = |section: &str| {
        let (_, rest) = text
            .split_once(&format!("## {section}\n"))
            .unwrap_or_else(|| panic!("section {section} is gone"));
        let body = rest.split_once("\n## ").map_or(rest, |(body, _)| body);
        body.lines()
            .filter(|line| line.starts_with("### WL-"))
            .count()
    };
    assert!(count("Current watchlist") >= 5);
    assert!(count("Accepted tradeoffs") >= 7);
    assert!(count("Pre-beta hardening additions") >= 14);
}

#[test]
fn done_items_name_existing_tests() {
    let tests = test_names();
    let tick = Regex::new("`([a-z0-9_]+)`").unwrap();
    let mut problems = Vec::new();
    for item in items() {
        let named: Vec<String> = item.fields.get("Tests").map_or_else(Vec::new, |text| {
            tick.captures_iter(text).map(|c| c[1].to_owned()).collect()
        });
        if item.fields.get("Status").is_some_and(|s| s == "`done`") && named.is_empty() {
            problems.push(format!(
                "{} {}: done, and names no test",
                item.id, item.title
            ));
        }
        problems.extend(
            named
                .iter()
                .filter(|name| !tests.contains(*name))
                .map(|name| format!("{} {}: there is no test {name}", item.id, item.title)),
        );
    }
    none(&problems, "a promise that nothing checks:");
}
