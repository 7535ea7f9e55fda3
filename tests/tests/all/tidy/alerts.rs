//! Alert rules: whoever is woken knows whose it is and what to do, and `promtool` has seen each of
//! them fire and stay quiet (`make check` runs it).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::documents::headings;
use super::{files, none, read, root};

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: String,
    expr: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Cases {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    alert_rule_test: Vec<Look>,
}

#[derive(Deserialize)]
struct Look {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<serde_json::Value>,
}

fn yaml<T: serde::de::DeserializeOwned>(folder: &str) -> Vec<T> {
    files()
        .into_iter()
        .filter(|name| name.starts_with(folder))
        .map(|name| serde_saphyr::from_str(&read(&name)).unwrap_or_else(|e| panic!("{name}: {e}")))
        .collect()
}

#[test]
fn rl_06_alerts_have_an_owner_a_runbook_and_two_cases() {
    let rules: Vec<Rule> = yaml::<Rules>("ops/prometheus/rules/")
        .into_iter()
        .flat_map(|rules| rules.groups)
        .flat_map(|group| group.rules)
        .collect();
    assert!(!rules.is_empty());
    let cases = yaml::<Cases>("ops/prometheus/tests/");
    let looks = || cases.iter().flat_map(|cases| &cases.tests);
    let seen = |fires: bool| -> BTreeSet<&str> {
        looks()
            .flat_map(|case| &case.alert_rule_test)
            .filter(|look| look.exp_alerts.is_empty() != fires)
            .map(|look| &*look.alertname)
            .collect()
    };
    let (firing, quiet) = (seen(true), seen(false));
    let sources: String = super::product_sources()
        .iter()
        .map(|file| read(file))
        .collect();
    let metric = regex::Regex::new(r"[a-z]+(?:_[a-z]+)+").unwrap();
    let mut problems = Vec::new();
    for rule in &rules {
        let name = &rule.alert;
        if rule.labels.get("owner").is_none_or(String::is_empty) {
            problems.push(format!("{name}: nobody's"));
        }
        let runbook = rule.annotations.get("runbook").map_or("", String::as_str);
        let (file, heading) = runbook.split_once('#').unwrap_or((runbook, ""));
        if !root().join(file).is_file()
            || !headings(&root().join(file)).contains(&heading.to_owned())
        {
            problems.push(format!("{name}: there is no runbook {runbook:?}"));
        }
        if !firing.contains(&**name) || !quiet.contains(&**name) {
            problems.push(format!(
                "{name}: no case in which it fires, or none in which not"
            ));
        }
        let named = metric.find_iter(&rule.expr).map(|found| found.as_str());
        for counter in named.filter(|name| name.contains("_total") || name.contains("_seconds")) {
            if !sources.contains(&format!("\"{counter}\"")) {
                problems.push(format!("{name}: nobody counts {counter}"));
            }
        }
    }
    none(&problems, "an alert that helps nobody:");
}
