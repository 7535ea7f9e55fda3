//! What `contract` promises is kept: every activity has an implementation that a worker registers,
//! every workflow is registered and has recorded histories to replay.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::{files, has_extension, none, read, sources};

/// Module of `contract` and marker type of a declared activity, which is its function's name in
/// camel case.
type Marker = (String, String);

/// Declared activities by marker, with their names on the wire.
pub(crate) fn declared() -> BTreeMap<Marker, String> {
    let activity =
        Regex::new(r#"#\[activity\(name = "([a-z_]+\.[a-z_]+)"\)\]\s*pub fn (\w+)\("#).unwrap();
    let mut declared = BTreeMap::new();
    for file in sources(&["contract/src/"]) {
        let module = file
            .trim_start_matches("contract/src/")
            .trim_end_matches(".rs")
            .to_owned();
        for found in activity.captures_iter(&read(&file)) {
            declared.insert((module.clone(), camel(&found[2])), found[1].to_owned());
        }
    }
    assert!(declared.len() >= 10, "{declared:?}");
    declared
}

fn camel(snake: &str) -> String {
    snake
        .split('_')
        .map(|word| word[..1].to_uppercase() + &word[1..])
        .collect()
}

/// Markers that `activities` implements, each with the type that does.
fn implemented() -> BTreeMap<Marker, String> {
    let imports = Regex::new(r"contract::(\w+)::(?:\{([^}]*)\}|(\w+))").unwrap();
    let block = Regex::new(r"(?s)#\[activities\]\s*impl (\w+) \{(.*?)\n\}").unwrap();
    let definition = Regex::new(r"#\[activity\(definition = (?:(\w+)::)?(\w+)\)\]").unwrap();
    let mut implemented = BTreeMap::new();
    for file in sources(&["activities/src/"]) {
        let text = read(&file);
        let mut module_of = BTreeMap::new();
        for found in imports.captures_iter(&text) {
            let names = found
                .get(2)
                .or(found.get(3))
                .map_or("", |names| names.as_str());
            for name in names.split(',') {
                module_of.insert(name.trim().to_owned(), found[1].to_owned());
            }
        }
        for found in block.captures_iter(&text) {
            for marker in definition.captures_iter(&found[2]) {
                let module = marker
                    .get(1)
                    .map(|module| module.as_str().to_owned())
                    .or_else(|| module_of.get(&marker[2]).cloned());
                let module = module
                    .unwrap_or_else(|| panic!("{file}: where does {} come from?", &marker[2]));
                implemented.insert((module, marker[2].to_owned()), found[1].to_owned());
            }
        }
    }
    implemented
}

fn worker_text() -> String {
    sources(&["worker/src/"])
        .iter()
        .map(|file| read(file))
        .collect()
}

#[test]
fn every_activity_is_implemented_and_registered() {
    let (declared, implemented, worker) = (declared(), implemented(), worker_text());
    let mut problems = Vec::new();
    for (marker, wire) in &declared {
        match implemented.get(marker) {
            None => problems.push(format!(
                "{wire} ({}::{}) has no implementation",
                marker.0, marker.1
            )),
            Some(by) if !Regex::new(&format!(r"\b{by}\b")).unwrap().is_match(&worker) => {
                problems.push(format!("{wire}: no worker registers {by}"));
            }
            Some(_) => {}
        }
    }
    problems.extend(
        implemented
            .keys()
            .filter(|marker| !declared.contains_key(*marker))
            .map(|(module, name)| format!("{module}::{name} is implemented but not declared")),
    );
    none(&problems, "contract and activities differ:");
}

#[test]
fn activity_names_are_unique() {
    let mut seen = BTreeSet::new();
    let twice: Vec<String> = declared()
        .into_values()
        .filter(|wire| !seen.insert(wire.clone()))
        .collect();
    none(&twice, "a name on the wire is given twice:");
}

#[test]
fn every_workflow_is_registered_and_has_histories() {
    let run = Regex::new(r#"#\[run\(name = "(\w+)"\)\]"#).unwrap();
    let worker = worker_text();
    let histories: Vec<String> = files()
        .into_iter()
        .filter(|name| name.starts_with("tests/histories/") && has_extension(name, "json"))
        .collect();
    let mut problems = Vec::new();
    let mut workflows = 0;
    for file in sources(&["workflows/src/"]) {
        for found in run.captures_iter(&read(&file)) {
            workflows += 1;
            let name = &found[1];
            if !worker.contains(&format!("register_workflow::<{name}>"))
                && !worker.contains(&format!("register_workflow::<workflows::{name}>"))
            {
                problems.push(format!("no worker registers {name}"));
            }
            let of_this = format!("\"{name}\"");
            if !histories
                .iter()
                .any(|history| read(history).contains(&of_this))
            {
                problems.push(format!("{name} has no history in tests/histories/"));
            }
        }
    }
    assert!(workflows >= 2);
    none(&problems, "a workflow that nobody runs or replays:");
}
