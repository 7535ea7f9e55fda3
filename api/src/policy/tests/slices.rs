//! A slice decides as all rules together would (POL-07).

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::role::{ProjectRole, Role};
use proptest::prelude::*;
use proptest::sample::select;
use strum::VariantArray;

use super::super::facts::Kind;
use super::super::{
    Book, MOST_FOR_PLATFORM, MOST_PER_ORGANIZATION, Question, Rule, Rules, Thing, Who,
};
use super::{book, org, person, principal, project};
use crate::authentication::Principal;

const TENANTS: u128 = 6;

/// Random rules, of everybody and of tenants, with every form of head.
fn rule_text(of: Option<u128>) -> impl Strategy<Value = String> {
    let actions = select(vec![
        "action",
        "action == Berth::Action::\"allocation.create\"",
        "action == Berth::Action::\"api_key.revoke\"",
        "action in Berth::Action::\"change\"",
        "action in Berth::Action::\"read\"",
        "action in [Berth::Action::\"project.*\", Berth::Action::\"needs.admin\"]",
    ]);
    let one = |n| format!("principal == Berth::User::\"{}\"", person(n));
    let principals = select(vec![
        "principal".to_owned(),
        "principal is Berth::User".to_owned(),
        "principal in Berth::Role::\"member\"".to_owned(),
        one(1),
        one(2),
    ]);
    let place = |n| format!("Berth::Organization::\"{}\"", org(n));
    let resources = match of {
        Some(n) => select(vec![
            format!("resource in {}", place(n)),
            format!("resource == {}", place(n)),
        ]),
        None => select(vec![
            "resource".to_owned(),
            "resource is Berth::Organization".to_owned(),
            format!("resource in {}", place(2)),
        ]),
    };
    let effects = select(vec!["permit", "forbid"]);
    (effects, principals, actions, resources)
        .prop_map(|(effect, p, a, r)| format!("{effect} ({p}, {a}, {r});"))
}

fn rules(book: &Arc<Book>) -> impl Strategy<Value = Arc<Rules>> + use<> {
    let book = Arc::clone(book);
    let of = prop_oneof![Just(None), (1..=TENANTS).prop_map(Some)];
    let one = of.prop_flat_map(|of| rule_text(of).prop_map(move |text| (of, text)));
    prop::collection::vec(one, 0..60).prop_map(move |texts| {
        let read = texts.into_iter().enumerate().filter_map(|(n, (of, text))| {
            // Some heads fit no action of the schema: those are no rules.
            Rule::compile(&book, &format!("apol_{n}"), 1, of.map(org), &text).ok()
        });
        Arc::new(Rules::of(&book, read.map(Arc::new)))
    })
}

fn caller() -> impl Strategy<Value = Principal> {
    let roles = (
        1..=TENANTS,
        select(vec![ProjectRole::Viewer, ProjectRole::Admin]),
    );
    let project_roles = prop::collection::vec(roles, 0..3);
    let role = select(Role::VARIANTS.to_vec());
    let who = (1..=TENANTS, 1..=3_u128);
    (who, role, project_roles, any::<bool>()).prop_map(|((n, who), role, there, operator)| {
        let there: BTreeMap<_, _> = there
            .into_iter()
            .map(|(n, role)| (project(n), role))
            .collect();
        Principal {
            platform_role: operator.then_some(domain::role::PlatformRole::Operator),
            user_id: person(who),
            ..principal(org(n), role, there)
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// 40 sets of rules, 50 questions each, and again 50 where the slices are made already.
    #[test]
    fn pol_07_sliced_is_unsliced(
        rules in rules(&book()),
        asked in prop::collection::vec((caller(), 0..1_000_usize, 0..4_usize, 1..=TENANTS), 50),
    ) {
        let book = book();
        let mut actions: Vec<&str> = book.actions().collect();
        actions.sort_unstable();
        for (who, action, kind, of) in &asked {
            let action = actions[action % actions.len()];
            let kinds = &book.action(action).expect("it is listed").kinds;
            let thing = match kinds[kind % kinds.len()] {
                Kind::Platform => Thing::Platform,
                Kind::Organization => Thing::Organization(org(*of)),
                Kind::Project => Thing::Project(org(*of), project(*of)),
                Kind::Belonging => Thing::Belonging(org(*of), person(1)),
            };
            let question = Question { who: Who::Person(who), action, thing };
            let whole = rules.decide_unsliced(&question);
            prop_assert_eq!(rules.decide(&question), whole.clone(), "{:?}", question);
            prop_assert_eq!(rules.decide(&question), whole, "{:?}", question);
        }
    }
}

#[test]
fn pol_07_at_most_fifty_rules_have_a_say() {
    let book = book();
    let text = "forbid (principal, action, resource);".to_owned();
    let own = format!(
        "forbid (principal, action, resource in Berth::Organization::\"{}\");",
        org(1)
    );
    let many = |count: usize, of: Option<u128>, text: String| {
        let book = Arc::clone(&book);
        (0..count).map(move |n| {
            let id = format!("apol_{of:?}_{n}");
            Arc::new(Rule::compile(&book, &id, 1, of.map(org), &text).expect("sound"))
        })
    };
    let all = many(MOST_FOR_PLATFORM, None, text).chain(many(MOST_PER_ORGANIZATION, Some(1), own));
    let rules = Rules::of(&book, all);
    let owner = principal(org(1), Role::Owner, BTreeMap::new());
    for action in book.actions() {
        for kind in &book.action(action).expect("it is listed").kinds {
            let thing = match kind {
                Kind::Platform => Thing::Platform,
                Kind::Organization => Thing::Organization(org(1)),
                Kind::Project => Thing::Project(org(1), project(1)),
                Kind::Belonging => Thing::Belonging(org(1), person(1)),
            };
            let who = Who::Person(&owner);
            let looked_at = rules.slice_len(&Question { who, action, thing });
            assert!((1..=50).contains(&looked_at), "{action}: {looked_at}");
        }
    }
}

/// Whoever may do something by a rule, or may not, learns by which: what the log shows.
#[test]
fn pol_07_decisions_name_their_rules() {
    let book = book();
    let text = "forbid (principal, action == Berth::Action::\"allocation.create\", resource);";
    let rule = Rule::compile(&book, "apol_1", 1, None, text).expect("sound");
    let rules = Rules::of(&book, [Arc::new(rule)]);
    let owner = principal(org(1), Role::Owner, BTreeMap::new());
    let decide = |action, thing| {
        let who = Who::Person(&owner);
        let decision = rules.decide(&Question { who, action, thing });
        (decision.allowed, decision.rules.join(" "))
    };
    let here = Thing::Project(org(1), project(1));
    assert_eq!(
        decide("allocation.create", here),
        (false, "apol_1".to_owned())
    );
    assert_eq!(
        decide("allocation.release", here),
        (true, "berth.role.member".to_owned())
    );
    let there = Thing::Project(org(2), project(1));
    assert_eq!(
        decide("allocation.release", there),
        (false, "berth.floor.tenant".to_owned())
    );
    let operators = decide("node.create", Thing::Platform);
    assert_eq!(operators, (false, "berth.floor.operator".to_owned()));
}
