//! What a room may name, as `doc/architecture.md` tells it and as the manifests do it.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::{none, read, root};

/// One row of the table under "Code map".
struct Room {
    name: String,
    rooms: Option<BTreeSet<String>>,
    crates: Crates,
}

enum Crates {
    Only(BTreeSet<String>),
    Not(BTreeSet<String>),
}

fn ticked(cell: &str) -> BTreeSet<String> {
    let tick = Regex::new("`([^`]+)`").unwrap();
    tick.captures_iter(cell).map(|c| c[1].to_owned()).collect()
}

fn table() -> Vec<Room> {
    let text = read("doc/architecture.md");
    let rows: Vec<Room> = text
        .lines()
        .skip_while(|line| !line.starts_with("| room | may name |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let outside = ticked(cells[2]);
            Room {
                name: ticked(cells[0]).into_iter().next().unwrap(),
                rooms: (cells[1] != "all").then(|| ticked(cells[1])),
                crates: if cells[2].starts_with("only") {
                    Crates::Only(outside)
                } else {
                    Crates::Not(outside)
                },
            }
        })
        .collect();
    assert!(
        !rows.is_empty(),
        "the table of rooms is gone from doc/architecture.md"
    );
    rows
}

fn members() -> BTreeSet<String> {
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    manifest["workspace"]["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m.as_str().unwrap().to_owned())
        .collect()
}

/// Crates that a manifest names for building, normal and build dependencies alike.
fn named(room: &str) -> BTreeSet<String> {
    let manifest: toml::Table = toml::from_str(&read(&format!("{room}/Cargo.toml"))).unwrap();
    let mut names = BTreeSet::new();
    for section in ["dependencies", "build-dependencies"] {
        if let Some(table) = manifest.get(section) {
            names.extend(table.as_table().unwrap().keys().cloned());
        }
    }
    assert!(
        manifest.get("target").is_none(),
        "{room}: dependencies by target hide from this test"
    );
    names
}

#[test]
fn rooms_name_only_what_they_may() {
    let members = members();
    let table = table();
    let told: BTreeSet<String> = table.iter().map(|room| room.name.clone()).collect();
    assert_eq!(
        members, told,
        "every member of the workspace has its row in doc/architecture.md"
    );

    let mut problems = Vec::new();
    for room in &table {
        let named = named(&room.name);
        let (inside, outside): (BTreeSet<_>, BTreeSet<_>) =
            named.into_iter().partition(|c| members.contains(c));
        if let Some(may) = &room.rooms {
            problems.extend(
                inside
                    .difference(may)
                    .map(|c| format!("{} names the room {c}", room.name)),
            );
        }
        let wrong: Vec<&String> = match &room.crates {
            Crates::Only(only) => outside.difference(only).collect(),
            Crates::Not(not) => outside.intersection(not).collect(),
        };
        problems.extend(
            wrong
                .into_iter()
                .map(|c| format!("{} names the crate {c}", room.name)),
        );
    }
    none(
        &problems,
        "a room names what doc/architecture.md does not allow:",
    );
}

/// A short name in a manifest must not be another crate in disguise.
#[test]
fn only_the_wasm_half_of_temporal_goes_by_another_name() {
    let expected = BTreeMap::from([(
        "temporalio-common".to_owned(),
        "temporalio-common-wasm".to_owned(),
    )]);
    for room in members() {
        let manifest: toml::Table = toml::from_str(&read(&format!("{room}/Cargo.toml"))).unwrap();
        let renamed: BTreeMap<String, String> = manifest
            .get("dependencies")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| {
                Some((name.clone(), value.get("package")?.as_str()?.to_owned()))
            })
            .collect();
        let wanted = if ["contract", "workflows"].contains(&room.as_str()) {
            expected.clone()
        } else {
            BTreeMap::new()
        };
        assert_eq!(renamed, wanted, "{room}");
    }
}

/// The lints that keep clocks, ids, settings and sockets in their places are in force everywhere.
#[test]
fn every_room_is_under_the_lints() {
    for room in members() {
        let manifest: toml::Table = toml::from_str(&read(&format!("{room}/Cargo.toml"))).unwrap();
        assert_eq!(
            manifest["lints"]["workspace"].as_bool(),
            Some(true),
            "{room}/Cargo.toml: [lints] workspace = true"
        );
        let own = root().join(&room).join("clippy.toml").exists();
        assert_eq!(
            own,
            room == "workflows",
            "a clippy.toml of its own replaces the root's: {room}"
        );
    }
    let refused = |file: &str| -> BTreeSet<String> {
        let table: toml::Table = toml::from_str(&read(file)).unwrap();
        [
            "disallowed-methods",
            "disallowed-types",
            "disallowed-macros",
        ]
        .iter()
        .filter_map(|list| table.get(*list))
        .flat_map(|list| list.as_array().unwrap())
        .map(|entry| {
            assert!(
                entry.get("reason").is_some(),
                "{file}: {entry} has no reason"
            );
            entry["path"].as_str().unwrap().to_owned()
        })
        .collect()
    };
    let everywhere = refused("clippy.toml");
    for path in [
        "std::time::SystemTime::now",
        "std::env::var",
        "std::net::TcpStream::connect",
        "uuid::Uuid::now_v7",
    ] {
        assert!(
            everywhere.contains(path),
            "clippy.toml does not refuse {path}"
        );
    }
    let in_workflows = refused("workflows/clippy.toml");
    for path in [
        "std::time::SystemTime::now",
        "std::time::Instant::now",
        "std::env::var",
        "std::collections::HashMap",
        "tokio::spawn",
        "tokio::select",
        "std::net::TcpStream",
    ] {
        assert!(
            in_workflows.contains(path),
            "workflows/clippy.toml does not refuse {path}"
        );
    }
}
