//! RL-01 to RL-06, on the real Redis.

mod answers;
mod model;
mod outage;
mod replicas;
mod strangers;

use std::collections::BTreeMap;

use sfv::{BareItem, List, ListEntry, Parser};
use tests::Answer;

/// One bucket as an answer tells it, from both fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    q: i64,
    w: i64,
    r: i64,
    t: i64,
}

/// `RateLimit` and `RateLimit-Policy`, by a parser of RFC 9651 that is not ours.
#[track_caller]
fn told(answer: &Answer) -> BTreeMap<String, Told> {
    let list = |name: &str| -> BTreeMap<String, BTreeMap<String, i64>> {
        let text = answer.header(name);
        let list: List = Parser::new(text)
            .parse()
            .unwrap_or_else(|error| panic!("{name}: {text}: {error}"));
        list.iter().map(member).collect()
    };
    let (policies, now) = (list("ratelimit-policy"), list("ratelimit"));
    assert_eq!(
        policies.keys().collect::<Vec<_>>(),
        now.keys().collect::<Vec<_>>(),
        "both fields name the same limits"
    );
    policies
        .into_iter()
        .map(|(name, policy)| {
            let now = &now[&name];
            let told = Told {
                q: policy["q"],
                w: policy["w"],
                r: now["r"],
                t: now["t"],
            };
            (name, told)
        })
        .collect()
}

fn member(entry: &ListEntry) -> (String, BTreeMap<String, i64>) {
    let ListEntry::Item(item) = entry else {
        panic!("an inner list: {entry:?}");
    };
    let BareItem::String(name) = &item.bare_item else {
        panic!("not a string: {item:?}");
    };
    let parameters = item.params.iter().map(|(key, value)| {
        let BareItem::Integer(number) = value else {
            panic!("not an integer: {value:?}");
        };
        (key.as_str().to_owned(), i64::from(*number))
    });
    (name.as_str().to_owned(), parameters.collect())
}

/// The value of one counter of a process.
fn counter(metrics: &str, series: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0, |rest| rest.trim().parse().expect("a whole number"))
}
