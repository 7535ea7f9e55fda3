//! Role by action by thing by whose it is: what the built-in rules say, as a file that people read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use domain::role::{PlatformRole, ProjectRole, Role};
use strum::VariantArray;

use super::super::facts::Kind;
use super::super::{PolicyClient, Question, Rules, Snapshot, Thing, Values, Who};
use super::{book, golden, org, person, principal, project};
use crate::authentication::Principal;
use crate::authorization::{Ask, Needs};

/// The caller's organization and another; a project of each.
const MINE: u128 = 10;
const OTHERS: u128 = 20;

/// What can be asked about a kind of thing: how it is named, the thing, the role that the caller
/// has in the project.
fn things(kind: Kind) -> Vec<(&'static str, Thing, Option<ProjectRole>)> {
    let (mine, others) = (org(MINE), org(OTHERS));
    let (my_project, their_project) = (project(MINE), project(OTHERS));
    match kind {
        Kind::Platform => vec![("platform", Thing::Platform, None)],
        Kind::Organization => vec![
            ("organization: own", Thing::Organization(mine), None),
            ("organization: other", Thing::Organization(others), None),
        ],
        Kind::Project => {
            let there = Thing::Project(mine, my_project);
            vec![
                ("project: no role there", there, None),
                ("project: viewer there", there, Some(ProjectRole::Viewer)),
                ("project: member there", there, Some(ProjectRole::Member)),
                ("project: admin there", there, Some(ProjectRole::Admin)),
                (
                    "project: of another organization",
                    Thing::Project(others, their_project),
                    Some(ProjectRole::Admin),
                ),
            ]
        }
        Kind::Belonging => vec![
            ("belonging: own", Thing::Belonging(mine, person(1)), None),
            (
                "belonging: a colleague's",
                Thing::Belonging(mine, person(2)),
                None,
            ),
            (
                "belonging: own, elsewhere",
                Thing::Belonging(others, person(1)),
                None,
            ),
            (
                "belonging: a stranger's",
                Thing::Belonging(others, person(2)),
                None,
            ),
        ],
    }
}

/// Every caller: four roles, finance and an operator who are viewers, the token, nobody known.
fn callers(there: Option<ProjectRole>) -> Vec<(&'static str, Option<Principal>)> {
    let roles: BTreeMap<_, _> = there
        .into_iter()
        .flat_map(|role| [(project(MINE), role), (project(OTHERS), role)])
        .collect();
    let mut callers: Vec<_> = Role::VARIANTS
        .iter()
        .map(|role| {
            (
                role.as_str(),
                Some(principal(org(MINE), *role, roles.clone())),
            )
        })
        .collect();
    for (name, role) in [
        ("finance", PlatformRole::Finance),
        ("operator", PlatformRole::Operator),
    ] {
        let caller = Principal {
            platform_role: Some(role),
            ..principal(org(MINE), Role::Viewer, roles.clone())
        };
        callers.push((name, Some(caller)));
    }
    callers.push(("token", None));
    callers.push(("anybody", None));
    callers
}

fn who<'a>(name: &str, principal: Option<&'a Principal>) -> Who<'a> {
    match (principal, name) {
        (Some(principal), _) => Who::Person(principal),
        (None, "token") => Who::Service,
        (None, _) => Who::Anybody,
    }
}

/// The same rules as a function: what stood here before there were rules in files.
fn model(ask: &Ask, caller: &str, principal: Option<&Principal>, thing: Thing) -> bool {
    let Some(principal) = principal else {
        return match ask.needs {
            Needs::Token => caller == "token",
            Needs::Nothing => caller == "anybody",
            _ => false,
        };
    };
    let inside = thing.org().is_none_or(|org| org == principal.org_id);
    let allowed = match (ask.needs, thing) {
        (Needs::Operator, _) => principal.is_operator(),
        (Needs::Finance, _) => principal.sees_money(),
        (Needs::Token | Needs::Nothing, _) => false,
        (Needs::Role(least), Thing::Project(_, project)) => principal.role_in(project) >= least,
        (Needs::OwnOr(_), Thing::Belonging(_, owner)) if owner == principal.user_id => true,
        (Needs::Role(least) | Needs::OwnOr(least), _) => principal.role >= least,
    };
    inside && allowed
}

#[test]
fn pol_06_golden_matrix() {
    let book = book();
    let rules = Snapshot::new(1, Rules::built_in(&book), Values::default());
    let asks: BTreeMap<String, Ask> = crate::routes::registry()
        .into_iter()
        .map(|endpoint| (endpoint.ask.name.to_string(), endpoint.ask))
        .collect();
    let mut text = format!("{:<32} {:<34}", "# action", "on");
    for (name, _) in callers(None) {
        write!(text, " {name:<8}").expect("a text");
    }
    text = text.trim_end().to_owned() + "\n";
    for (name, ask) in &asks {
        let facts = book.action(name).expect("an action of the schema");
        for (label, thing, there) in facts.kinds.iter().flat_map(|kind| things(*kind)) {
            let mut line = format!("{name:<32} {label:<34}");
            for (caller, principal) in &callers(there) {
                let question = Question {
                    who: who(caller, principal.as_ref()),
                    action: name,
                    thing,
                };
                let decision = rules.decide(&question);
                assert_eq!(
                    decision.allowed,
                    model(ask, caller, principal.as_ref(), thing),
                    "{caller} {question:?}"
                );
                if decision.allowed {
                    assert!(!decision.rules.is_empty(), "{question:?}: by no rule");
                }
                let mark = if decision.allowed { "yes" } else { "-" };
                write!(line, " {mark:<8}").expect("a text");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    golden("matrix.txt", &text);
}

/// What the schema does not let be asked is refused, not guessed.
#[test]
fn pol_06_questions_outside_the_schema_are_denied() {
    let rules = Snapshot::new(1, Rules::built_in(&book()), Values::default());
    let owner = principal(org(MINE), Role::Owner, BTreeMap::new());
    for (action, thing) in [
        ("allocation.fly", Thing::Organization(org(MINE))),
        ("needs.viewer", Thing::Organization(org(MINE))),
        ("project.create", Thing::Platform),
        ("api_key.revoke", Thing::Organization(org(MINE))),
    ] {
        let who = Who::Person(&owner);
        let decision = rules.decide(&Question { who, action, thing });
        assert!(!decision.allowed, "{action} {thing:?}");
    }
}
