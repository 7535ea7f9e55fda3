//! The transition tables of `domain::state` and those seeded by the migrations are one.

use std::collections::BTreeSet;

use domain::state::{
    AllocationState, GpuState, NodeState, OperationState, SigningKeyState, StateMachine, StepState,
};
use regex::Regex;

use super::{files, read};

type Transition = (String, String, String);

fn of<S: StateMachine>() -> BTreeSet<Transition> {
    let name = |state: &S| state.as_str().to_owned();
    S::TRANSITIONS
        .iter()
        .map(|(from, to)| (S::ENTITY.to_owned(), name(from), name(to)))
        .collect()
}

/// What the migrations leave in `state_transitions`. They only ever insert; a deletion would have
/// to teach this test to read it.
fn seeded() -> BTreeSet<Transition> {
    let statement = Regex::new(r"(?s)insert into state_transitions values(.*?);").unwrap();
    let row = Regex::new(r"\('(\w+)',\s*'(\w+)',\s*'(\w+)'\)").unwrap();
    let mut seeded = BTreeSet::new();
    for migration in files()
        .into_iter()
        .filter(|name| name.starts_with("migrations/"))
    {
        let text = read(&migration);
        assert!(
            !text.contains("delete from state_transitions"),
            "{migration}"
        );
        for values in statement.captures_iter(&text) {
            seeded.extend(
                row.captures_iter(&values[1])
                    .map(|c| (c[1].to_owned(), c[2].to_owned(), c[3].to_owned())),
            );
        }
    }
    seeded
}

#[test]
fn state_tables_match_the_schema() {
    let domain: BTreeSet<Transition> = [
        of::<AllocationState>(),
        of::<GpuState>(),
        of::<NodeState>(),
        of::<OperationState>(),
        of::<StepState>(),
        of::<SigningKeyState>(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let seeded = seeded();
    assert!(!seeded.is_empty());
    assert_eq!(
        domain.difference(&seeded).collect::<Vec<_>>(),
        Vec::<&Transition>::new(),
        "in domain::state, not in the migrations"
    );
    assert_eq!(
        seeded.difference(&domain).collect::<Vec<_>>(),
        Vec::<&Transition>::new(),
        "in the migrations, not in domain::state"
    );
}
