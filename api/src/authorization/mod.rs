//! Who may do what. One pure function decides, from the roles that Berth's own database holds;
//! an outside policy engine would take its place here.

pub mod action;
pub(crate) mod scope;

use domain::id::{ProjectId, UserId};
use domain::role::Role;

pub use self::action::{Action, Needs};
use crate::authentication::Principal;
use crate::problem::{Code, Problem};

/// What an action is about, as far as rights depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The organization as a whole, or the platform for an operator's action.
    Organization,
    /// Something in a project: a role there counts too.
    Project(ProjectId),
    /// Something that belongs to a person.
    Owned(UserId),
}

/// The caller may see the thing but not do this to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not allowed")]
pub struct Denied(&'static str);

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::new(Code::Forbidden).detail(denied.to_string())
    }
}

/// Decides about one action on one thing.
pub fn authorize(principal: &Principal, action: &Action, on: On) -> Result<(), Denied> {
    let allowed = match (action.needs, on) {
        (Needs::Operator, _) => principal.platform_operator,
        (Needs::Token, _) => false,
        (Needs::Role(least), On::Project(project)) => principal.role_in(project) >= least,
        (Needs::OwnOr(_), On::Owned(owner)) if owner == principal.user_id => true,
        (Needs::Role(least) | Needs::OwnOr(least), _) => principal.role >= least,
    };
    if allowed {
        Ok(())
    } else {
        Err(Denied(action.name))
    }
}

/// Lets platform operators through, to endpoints that are for nobody else.
pub(crate) fn operator(principal: Option<&Principal>) -> Result<(), Problem> {
    if principal.is_some_and(|principal| principal.platform_operator) {
        Ok(())
    } else {
        Err(Problem::new(Code::Forbidden).detail("platform operators only"))
    }
}

/// Decides before the thing is known: refuses whom no thing could change that.
pub(crate) fn may_ever(principal: &Principal, action: &Action) -> Result<(), Denied> {
    let strongest = principal
        .project_roles
        .values()
        .map(|role| Role::from(*role))
        .fold(principal.role, Role::max);
    let allowed = match action.needs {
        Needs::Operator => principal.platform_operator,
        Needs::Token => false,
        Needs::Role(least) => strongest >= least,
        Needs::OwnOr(_) => true,
    };
    if allowed {
        Ok(())
    } else {
        Err(Denied(action.name))
    }
}

#[cfg(test)]
mod tests;
