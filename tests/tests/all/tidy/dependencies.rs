//! Why each crate is here: `doc/dependencies.md` against the workspace's manifest, both ways.

use std::collections::BTreeSet;

use regex::Regex;

use super::{files, none, read};

fn workspace_dependencies() -> BTreeSet<String> {
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    manifest["workspace"]["dependencies"]
        .as_table()
        .unwrap()
        .iter()
        .filter(|(_, value)| value.get("path").is_none())
        .map(|(name, _)| name.clone())
        .collect()
}

#[test]
fn every_dependency_has_its_line() {
    let row = Regex::new(r"(?m)^\| `([^`]+)` \| (.+) \| (.+) \|$").unwrap();
    let text = read("doc/dependencies.md");
    let told: BTreeSet<String> = row.captures_iter(&text).map(|c| c[1].to_owned()).collect();
    let used = workspace_dependencies();
    let mut problems: Vec<String> = used
        .difference(&told)
        .map(|c| format!("{c} has no line in doc/dependencies.md"))
        .collect();
    problems.extend(
        told.difference(&used)
            .map(|c| format!("{c} is told of but not in Cargo.toml")),
    );
    none(
        &problems,
        "doc/dependencies.md and [workspace.dependencies] differ:",
    );
}

/// Versions stand in one place; a room names a crate, never a version of its own.
#[test]
fn versions_stand_in_the_workspace() {
    let own = Regex::new(r#"(?m)^[\w-]+ = ("|\{ version)"#).unwrap();
    let mut problems = Vec::new();
    for manifest in files()
        .into_iter()
        .filter(|name| name.ends_with("/Cargo.toml"))
    {
        let text = read(&manifest);
        let dependencies = text
            .split_once("[dependencies]")
            .map_or("", |(_, rest)| rest);
        let dependencies = dependencies
            .split_once("\n[[")
            .map_or(dependencies, |(these, _)| these);
        problems.extend(
            own.find_iter(dependencies)
                .map(|found| format!("{manifest}: {}…", found.as_str())),
        );
    }
    none(&problems, "say `name.workspace = true`:");
}

/// Every dependency that is declared is named by some room.
#[test]
fn no_dependency_is_left_over() {
    let mut named = BTreeSet::new();
    for manifest in files()
        .into_iter()
        .filter(|name| name.ends_with("/Cargo.toml"))
    {
        let table: toml::Table = toml::from_str(&read(&manifest)).unwrap();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in table
                .get(section)
                .and_then(toml::Value::as_table)
                .into_iter()
                .flatten()
            {
                named.insert(
                    value
                        .get("package")
                        .and_then(toml::Value::as_str)
                        .unwrap_or(name)
                        .to_owned(),
                );
            }
        }
    }
    let problems: Vec<String> = workspace_dependencies()
        .difference(&named)
        .cloned()
        .collect();
    none(&problems, "declared in the workspace and named by no room:");
}
