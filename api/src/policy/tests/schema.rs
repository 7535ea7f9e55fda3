//! The schema is made from the registry of endpoints, so that no operation is without an action.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::super::{Rule, RuleError};
use super::{book, golden, org};
use crate::authorization::Needs;

const TYPES: &str = r"// What rules can speak of. Made from the registry of endpoints by a test
// (`pol_06_every_operation_has_an_action_of_the_schema`), which also says how to write it anew.
namespace Berth {
  // From viewer to owner, each in the weaker one.
  entity Role in [Role];
  entity Platform;
  entity Organization;
  // A role in a project is a tag under the project's id.
  entity User in [Role] = { organization: Organization, operator: Bool, finance: Bool } tags Role;
  entity Project in [Organization] = { id: String };
  // Something that belongs to a person: a key.
  entity Belonging in [Organization] = { owner: User };
  // The holder of the internal token, and whoever shows no credentials.
  entity Service;
  entity Anybody;

";

/// Name, groups, principal, resources.
fn actions() -> BTreeMap<String, (Vec<String>, &'static str, &'static str)> {
    let mut actions = BTreeMap::new();
    for endpoint in crate::routes::registry() {
        let changes = endpoint.guard.action.is_some();
        let (principal, resources) = match (endpoint.ask.needs, changes) {
            (Needs::Role(_), true) => ("User", "Organization, Project"),
            (Needs::Role(_), false) => ("User", "Organization"),
            (Needs::OwnOr(_), _) => ("User", "Belonging"),
            (Needs::Operator | Needs::Finance, _) => ("User", "Platform"),
            (Needs::Token, _) => ("Service", "Platform"),
            (Needs::Nothing, _) => ("Anybody", "Platform"),
        };
        let mut groups = match endpoint.ask.needs {
            Needs::Role(least) => vec![format!("needs.{least}")],
            Needs::OwnOr(least) => vec!["needs.own".to_owned(), format!("needs.{least}")],
            Needs::Operator => vec!["needs.operator".to_owned()],
            Needs::Finance => vec!["needs.finance".to_owned()],
            Needs::Token => vec!["needs.token".to_owned()],
            Needs::Nothing => vec!["needs.nothing".to_owned()],
        };
        let name = endpoint.ask.name.to_string();
        let (kind, _) = name.split_once('.').expect("<resource>.<verb>");
        groups.push(if changes { "change" } else { "read" }.to_owned());
        groups.push(format!("{kind}.*"));
        let facts = (groups, principal, resources);
        let before = actions.insert(name.clone(), facts.clone());
        assert!(
            before.is_none_or(|before| before == facts),
            "{name} means two things"
        );
    }
    actions
}

#[test]
fn pol_06_every_operation_has_an_action_of_the_schema() {
    let actions = actions();
    let mut groups: BTreeSet<&str> = actions
        .values()
        .flat_map(|(groups, _, _)| groups)
        .map(String::as_str)
        .collect();
    // Those that rules name, whether an endpoint needs them today or not.
    for needs in [
        "viewer", "member", "admin", "owner", "own", "operator", "token", "nothing",
    ] {
        groups.insert(match needs {
            "viewer" => "needs.viewer",
            "member" => "needs.member",
            "admin" => "needs.admin",
            "owner" => "needs.owner",
            "own" => "needs.own",
            "operator" => "needs.operator",
            "token" => "needs.token",
            _ => "needs.nothing",
        });
    }
    let mut text = TYPES.to_owned();
    text.push_str(
        "  // Groups: what an action needs, whether it changes something, what it is about.\n",
    );
    for group in groups {
        writeln!(text, "  action \"{group}\";").expect("a text");
    }
    text.push('\n');
    for (name, (groups, principal, resources)) in &actions {
        let groups: Vec<String> = groups.iter().map(|group| format!("\"{group}\"")).collect();
        writeln!(
            text,
            "  action \"{name}\" in [{}] appliesTo {{ principal: [{principal}], resource: [{resources}] }};",
            groups.join(", ")
        )
        .expect("a text");
    }
    text.push_str("}\n");
    golden("berth.cedarschema", &text);
    let book = book();
    let known: BTreeSet<&str> = book.actions().collect();
    let named: BTreeSet<&str> = actions.keys().map(String::as_str).collect();
    assert_eq!(known, named);
}

fn compile(text: &str, of: Option<u128>) -> Result<Rule, RuleError> {
    Rule::compile(&book(), "policy", 1, of.map(org), text)
}

#[test]
fn pol_05_a_text_that_does_not_fit_the_schema_is_no_rule() {
    for good in [
        "forbid (principal, action == Berth::Action::\"allocation.create\", resource);",
        "permit (principal == Berth::User::\"user_1\", action in Berth::Action::\"allocation.*\", resource is Berth::Project);",
        "forbid (principal is Berth::User, action in Berth::Action::\"change\", resource) unless { principal.operator };",
    ] {
        assert!(compile(good, None).is_ok(), "{good}");
    }
    for (bad, says) in [
        ("", "unexpected end of input"),
        (
            "forbid (principal, action, resource)",
            "unexpected end of input",
        ),
        (
            "permit (principal, action == Berth::Action::\"allocation.fly\", resource);",
            "unrecognized action",
        ),
        (
            "permit (principal is Berth::Cat, action, resource);",
            "unrecognized entity type",
        ),
        (
            "permit (principal, action, resource) when { principal.shoesize > 3 };",
            "attribute",
        ),
        (
            "permit (principal, action, resource) when { principal.operator > 3 };",
            "unexpected type",
        ),
        (
            "permit (principal == ?principal, action, resource);",
            "template",
        ),
        (
            "permit (principal, action, resource); permit (principal, action, resource);",
            "unexpected token",
        ),
        // It would never apply: reads are decided on the organization.
        (
            "forbid (principal, action == Berth::Action::\"allocation.read\", resource is Berth::Project);",
            "unable to find",
        ),
    ] {
        let found = compile(bad, None).expect_err(bad);
        assert!(found.to_string().contains(says), "{bad}: {found}");
    }
}

#[test]
fn a_rule_of_an_organization_says_so_itself() {
    let inside = format!("Berth::Organization::\"{}\"", org(7));
    let elsewhere = format!("Berth::Organization::\"{}\"", org(8));
    for good in [
        format!("forbid (principal, action, resource in {inside});"),
        format!("forbid (principal, action, resource == {inside});"),
        format!(
            "forbid (principal, action in Berth::Action::\"allocation.*\", resource is Berth::Project in {inside});"
        ),
    ] {
        assert!(compile(&good, Some(7)).is_ok(), "{good}");
    }
    for bad in [
        "forbid (principal, action, resource);".to_owned(),
        "forbid (principal, action, resource is Berth::Project);".to_owned(),
        format!("forbid (principal, action, resource in {elsewhere});"),
        format!("forbid (principal, action, resource) when {{ resource in {inside} }};"),
    ] {
        let found = compile(&bad, Some(7)).expect_err(&bad);
        assert!(found.to_string().contains("in its head"), "{found}");
    }
}
