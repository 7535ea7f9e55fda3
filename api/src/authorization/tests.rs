use std::sync::Arc;

use domain::id::{ApiKeyId, OrgId};
use domain::role::{ProjectRole, Role};
use uuid::Uuid;

use super::*;
use crate::authentication::Credential;
use crate::endpoint::Authentication;
use crate::policy::{Book, Rule, Rules, Snapshot, Values};

fn principal(role: Role) -> Principal {
    Principal {
        user_id: UserId::from_uuid(Uuid::from_u128(1)),
        org_id: OrgId::from_uuid(Uuid::from_u128(2)),
        credential: Credential::ApiKey(ApiKeyId::from_uuid(Uuid::from_u128(3))),
        role,
        project_roles: [(
            ProjectId::from_uuid(Uuid::from_u128(4)),
            ProjectRole::Member,
        )]
        .into(),
        platform_role: None,
        scopes: domain::api_key::Scope::all(),
    }
}

/// The built-in rules, and one more.
fn policy(added: Option<&str>) -> Snapshot {
    let book = Arc::new(Book::open().expect("the files are sound"));
    let added = added.map(|text| {
        let rule = Rule::compile(&book, "apol_1", 1, None, text).expect("sound");
        Arc::new(rule)
    });
    Snapshot::new(1, Rules::of(&book, added), Values::default())
}

fn ask(action: &Action) -> Ask {
    Ask {
        name: Cow::Borrowed(action.name),
        needs: action.needs,
    }
}

#[test]
fn a_project_role_adds_in_its_project_only() {
    let (policy, viewer) = (policy(None), principal(Role::Viewer));
    let work = ask(&action::ALLOCATION_CREATE);
    let may = |principal: &Principal, on| authorize(&policy, Some(principal), &work, on).is_ok();
    let mine = ProjectId::from_uuid(Uuid::from_u128(4));
    let other = ProjectId::from_uuid(Uuid::from_u128(5));
    assert!(may_ever(&policy, &viewer, &work).is_ok());
    assert!(may(&viewer, On::Project(mine)));
    assert!(!may(&viewer, On::Project(other)));
    assert!(!may(&viewer, On::Organization));
    assert!(may(&principal(Role::Owner), On::Project(other)));
}

#[test]
fn what_no_thing_could_change_is_refused_early() {
    let policy = policy(None);
    let stranger = Principal {
        project_roles: std::collections::BTreeMap::new(),
        ..principal(Role::Viewer)
    };
    for (action, early) in [
        (&action::ALLOCATION_CREATE, false),
        (&action::PROJECT_DELETE, false),
        (&action::NODE_CREATE, false),
        (&action::API_KEY_CREATE, true),
        // It may be one's own.
        (&action::API_KEY_REVOKE, true),
    ] {
        let allowed = may_ever(&policy, &stranger, &ask(action)).is_ok();
        assert_eq!(allowed, early, "{}", action.name);
    }
}

#[test]
fn an_added_rule_may_allow_what_the_early_look_does_not_know() {
    let text = "permit (principal == Berth::User::\"user_00000000000000000000000000000001\",
                action == Berth::Action::\"allocation.create\",
                resource == Berth::Project::\"proj_00000000000000000000000000000005\");";
    let (policy, work) = (policy(Some(text)), ask(&action::ALLOCATION_CREATE));
    let viewer = Principal {
        project_roles: std::collections::BTreeMap::new(),
        ..principal(Role::Viewer)
    };
    assert!(may_ever(&policy, &viewer, &work).is_ok());
    let on = |n| On::Project(ProjectId::from_uuid(Uuid::from_u128(n)));
    // The project must still be one of his organization: that is what a handler looks up first.
    assert!(authorize(&policy, Some(&viewer), &work, on(5)).is_ok());
    assert!(authorize(&policy, Some(&viewer), &work, on(6)).is_err());
}

#[test]
fn no_added_rule_makes_an_operator() {
    let policy = policy(Some("permit (principal, action, resource);"));
    let owner = principal(Role::Owner);
    let enroll = ask(&action::NODE_CREATE);
    assert!(authorize(&policy, Some(&owner), &enroll, On::Organization).is_err());
    assert!(operator(Some(&owner)).is_err());
    let operator = Principal {
        platform_role: Some(domain::role::PlatformRole::Operator),
        ..owner
    };
    assert!(authorize(&policy, Some(&operator), &enroll, On::Organization).is_ok());
}

/// A rule that shuts everybody out can be taken back.
#[test]
fn what_mends_the_rules_goes_by_the_built_in_ones() {
    let policy = policy(Some("forbid (principal, action, resource);"));
    let operator = Principal {
        platform_role: Some(domain::role::PlatformRole::Operator),
        ..principal(Role::Viewer)
    };
    let may = |action: &Action| {
        let ask = ask(action);
        authorize(&policy, Some(&operator), &ask, On::Organization).is_ok()
    };
    assert!(!may(&action::NODE_CREATE));
    assert!(may(&action::AUTHORIZATION_POLICY_DELETE));
    assert!(may(&action::AUTHORIZATION_POLICY_UPDATE));
}

#[test]
fn ak_03_a_scope_is_asked_for_beside_the_right() {
    use domain::api_key::Scope;
    let with = |scopes: &[Scope]| Principal {
        scopes: scopes.iter().copied().collect(),
        ..principal(Role::Owner)
    };
    let wanted: Vec<Scope> = crate::routes::registry()
        .iter()
        .filter(|endpoint| {
            // Nothing with scopes is shown there.
            let open = [Authentication::Public, Authentication::Session];
            !open.contains(&endpoint.guard.authentication)
        })
        .map(|endpoint| {
            let mut opens = [Scope::Read, Scope::Write, Scope::Admin]
                .into_iter()
                .filter(|scope| scope::within(&with(&[*scope]), &endpoint.guard).is_ok());
            let only = opens.next().expect("some scope opens it");
            assert_eq!(opens.next(), None, "{endpoint:?}");
            let action = endpoint.guard.action.map(|action| action.name);
            match action {
                Some("allocation.create" | "api_key.create") => assert_eq!(only, Scope::Write),
                Some("policy.set" | "project.delete") => assert_eq!(only, Scope::Admin),
                Some(_) => assert_ne!(only, Scope::Read, "{endpoint:?}"),
                None => assert_ne!(only, Scope::Write, "{endpoint:?}"),
            }
            only
        })
        .collect();
    for scope in Scope::all() {
        assert!(wanted.contains(&scope));
    }
}

#[test]
fn ak_03_nobody_hands_on_more_than_he_has() {
    use domain::api_key::Scope;
    let of = |role, scopes: std::collections::BTreeSet<Scope>| Principal {
        scopes,
        project_roles: std::collections::BTreeMap::new(),
        ..principal(role)
    };
    let grants = |principal: &Principal| -> Vec<Scope> {
        let all = Scope::all().into_iter();
        all.filter(|scope| scope::may_grant(principal, *scope))
            .collect()
    };
    assert_eq!(
        grants(&of(Role::Admin, Scope::all())),
        [Scope::Read, Scope::Write, Scope::Admin]
    );
    assert_eq!(
        grants(&of(Role::Member, Scope::all())),
        [Scope::Read, Scope::Write]
    );
    assert_eq!(
        grants(&of(Role::Owner, [Scope::Write].into())),
        [Scope::Write]
    );
}
