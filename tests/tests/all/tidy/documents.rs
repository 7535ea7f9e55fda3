//! What documents say of settings, policies and each other is so.

use std::collections::BTreeMap;

use platform::settings::{KNOWN, Need};
use regex::Regex;

use super::{files, has_extension, none, read, root};

/// Rows of a table whose first cell is a name in ticks, below the given head.
fn rows(file: &str, head: &str) -> BTreeMap<String, Vec<String>> {
    let text = read(file);
    let rows: BTreeMap<String, Vec<String>> = text
        .lines()
        .skip_while(|line| !line.starts_with(head))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<String> = line
                .trim_matches('|')
                .split(" | ")
                .map(|cell| cell.trim().to_owned())
                .collect();
            (cells[0].trim_matches('`').to_owned(), cells[1..].to_vec())
        })
        .collect();
    assert!(!rows.is_empty(), "{file}: no table {head}");
    rows
}

#[test]
fn every_setting_is_documented() {
    let told: BTreeMap<String, String> = rows("doc/operations/README.md", "| setting |")
        .into_iter()
        .map(|(name, cells)| (name, cells[0].clone()))
        .collect();
    let known: BTreeMap<String, String> = KNOWN
        .iter()
        .map(|known| {
            let default = match known.need {
                Need::Required => "**required**".to_owned(),
                Need::Optional => "unset".to_owned(),
                Need::Default(value) => format!("`{value}`"),
            };
            (known.name.to_owned(), default)
        })
        .collect();
    assert_eq!(
        told, known,
        "left: doc/operations/README.md, right: platform::settings"
    );
}

#[test]
fn every_policy_is_documented() {
    let told: BTreeMap<String, Vec<String>> = rows("doc/operations/README.md", "| policy |")
        .into_iter()
        .map(|(key, cells)| (key, cells[..2].to_vec()))
        .collect();
    let known: BTreeMap<String, Vec<String>> = domain::policy::all()
        .map(|policy| {
            (
                policy.key.to_owned(),
                vec![
                    policy.default.to_string(),
                    format!("{} to {}", policy.min, policy.max),
                ],
            )
        })
        .collect();
    assert_eq!(
        told, known,
        "left: doc/operations/README.md, right: domain::policy"
    );
}

/// A metric that operators are told to watch is one that somebody counts.
#[test]
fn every_metric_of_the_runbook_exists() {
    let sources: String = super::product_sources()
        .iter()
        .map(|file| read(file))
        .collect();
    let unknown: Vec<String> = rows("doc/operations/README.md", "| metric |")
        .into_keys()
        .filter(|name| !sources.contains(&format!("\"{name}\"")))
        .collect();
    none(&unknown, "metrics that nobody counts:");
}

/// What a node can be quarantined for is what operators can read about.
#[test]
fn every_node_fault_is_documented() {
    let said = [
        (
            "activities/src/",
            r#"(?:Fault|Self)::(?:node|away)\("([a-z_]+)""#,
        ),
        ("activities/src/scripts/", r"\bfault ([a-z]+_[a-z_]+)"),
    ];
    let mut codes = std::collections::BTreeSet::new();
    for (folder, pattern) in said {
        let code = Regex::new(pattern).unwrap();
        for file in files().into_iter().filter(|name| name.starts_with(folder)) {
            codes.extend(code.captures_iter(&read(&file)).map(|c| c[1].to_owned()));
        }
    }
    let inventory = read("domain/src/inventory.rs");
    let (_, variants) = inventory.split_once("pub enum FindingCode {").unwrap();
    let (variants, _) = variants.split_once('}').unwrap();
    let variant = Regex::new(r"(?m)^    ([A-Z]\w+),").unwrap();
    codes.extend(variant.captures_iter(variants).map(|c| snake(&c[1])));
    assert!(codes.len() > 15, "{codes:?}");
    let told = read("doc/operations/README.md");
    let untold: Vec<String> = codes
        .into_iter()
        .filter(|code| !told.contains(&format!("`{code}`")))
        .collect();
    none(
        &untold,
        "doc/operations/README.md does not say what to do about:",
    );
}

fn snake(camel: &str) -> String {
    let mut text = String::new();
    for (at, letter) in camel.char_indices() {
        if letter.is_uppercase() && at > 0 {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// Links between the project's own documents lead to files and headings that exist.
#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut problems = Vec::new();
    for file in files().into_iter().filter(|name| has_extension(name, "md")) {
        let folder = root().join(&file).parent().unwrap().to_owned();
        for found in link.captures_iter(&read(&file)) {
            let target = &found[1];
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() {
                root().join(&file)
            } else {
                folder.join(path)
            };
            if !path.exists() {
                problems.push(format!("{file}: {target} is not there"));
            } else if !heading.is_empty() && !headings(&path).contains(&heading.to_owned()) {
                problems.push(format!("{file}: {target} has no such heading"));
            }
        }
    }
    none(&problems, "links that lead nowhere:");
}

/// Anchors as hosts of Markdown make them: lower case, words joined by hyphens.
pub(super) fn headings(path: &std::path::Path) -> Vec<String> {
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}
