//! What a credential may be used for. It never adds to what its person may do: a call has to be
//! within both.

use domain::api_key::Scope;
use domain::role::Role;

use super::{Action, Denied, Needs};
use crate::authentication::Principal;
use crate::endpoint::{Authentication, Guard};

/// The scope that an endpoint is in.
fn of(principal: &Principal, guard: &Guard) -> Scope {
    match (guard.authentication, guard.action) {
        (Authentication::PlatformOperator, _) => Scope::Admin,
        // An operator's key sees every organization with that scope alone; people of finance have no other.
        (Authentication::PlatformFinance, _) if principal.is_operator() => Scope::Admin,
        (_, Some(action)) => of_action(action),
        (_, None) => Scope::Read,
    }
}

/// Organizations, projects and their people are administered; what people work with is written.
fn of_action(action: &Action) -> Scope {
    match action.needs {
        // Nobody with scopes comes as the holder of the internal token.
        Needs::Operator
        | Needs::Finance
        | Needs::Token
        | Needs::Role(Role::Admin | Role::Owner) => Scope::Admin,
        // Nor does anybody have to come as somebody here.
        Needs::Nothing => Scope::Read,
        Needs::Role(Role::Viewer | Role::Member) | Needs::OwnOr(_) => Scope::Write,
    }
}

/// Refuses a call that the caller's credential was not made for.
pub(crate) fn within(principal: &Principal, guard: &Guard) -> Result<(), Denied> {
    let wanted = of(principal, guard);
    if principal.scopes.contains(&wanted) {
        return Ok(());
    }
    let denied = match wanted {
        Scope::Read => "this credential's scopes do not include read: reading",
        Scope::Write => "this credential's scopes do not include write: changing this",
        Scope::Admin => "this credential's scopes do not include admin: administering this",
    };
    Err(Denied(denied.into()))
}

/// Whether the caller may hand a scope on: he has it, and a right that it is about.
pub(crate) fn may_grant(principal: &Principal, scope: Scope) -> bool {
    let administers = || {
        let in_projects = principal
            .project_roles
            .values()
            .map(|role| Role::from(*role));
        let strongest = in_projects.fold(principal.role, Role::max);
        principal.is_operator() || strongest >= Role::Admin
    };
    principal.scopes.contains(&scope)
        && match scope {
            Scope::Read | Scope::Write => true,
            Scope::Admin => administers(),
        }
}
