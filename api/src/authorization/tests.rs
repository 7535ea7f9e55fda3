use domain::id::{ApiKeyId, OrgId};
use domain::role::ProjectRole;
use uuid::Uuid;

use super::*;
use crate::authentication::Credential;
use crate::endpoint::Authentication;

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
        platform_operator: false,
        scopes: domain::api_key::Scope::all(),
    }
}

#[test]
fn roles_in_an_organization() {
    let work = &action::ALLOCATION_CREATE;
    let allowed: Vec<Role> = [Role::Viewer, Role::Member, Role::Admin, Role::Owner]
        .into_iter()
        .filter(|role| authorize(&principal(*role), work, On::Organization).is_ok())
        .collect();
    assert_eq!(allowed, [Role::Member, Role::Admin, Role::Owner]);
}

#[test]
fn a_project_role_adds_in_its_project_only() {
    let (work, viewer) = (&action::ALLOCATION_CREATE, principal(Role::Viewer));
    let mine = ProjectId::from_uuid(Uuid::from_u128(4));
    let other = ProjectId::from_uuid(Uuid::from_u128(5));
    assert!(may_ever(&viewer, work).is_ok());
    assert!(authorize(&viewer, work, On::Project(mine)).is_ok());
    assert!(authorize(&viewer, work, On::Project(other)).is_err());
    assert!(authorize(&viewer, work, On::Organization).is_err());
    assert!(authorize(&principal(Role::Owner), work, On::Project(other)).is_ok());
}

#[test]
fn own_things_and_other_peoples() {
    let (revoke, viewer) = (&action::API_KEY_REVOKE, principal(Role::Viewer));
    let stranger = On::Owned(UserId::from_uuid(Uuid::from_u128(9)));
    assert!(authorize(&viewer, revoke, On::Owned(viewer.user_id)).is_ok());
    assert!(authorize(&viewer, revoke, stranger).is_err());
    assert!(authorize(&principal(Role::Admin), revoke, stranger).is_ok());
}

#[test]
fn operators_only() {
    let owner = principal(Role::Owner);
    assert!(may_ever(&owner, &action::NODE_CREATE).is_err());
    assert!(authorize(&owner, &action::NODE_CREATE, On::Organization).is_err());
    let operator = Principal {
        platform_operator: true,
        ..owner
    };
    assert!(authorize(&operator, &action::NODE_CREATE, On::Organization).is_ok());
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
        .filter(|endpoint| endpoint.guard.authentication != Authentication::Public)
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
