//! Who may do what: asks the policy that the request goes by, and logs what matters about the
//! answer.

pub mod action;
pub(crate) mod scope;

use std::borrow::Cow;

use domain::id::{ProjectId, UserId};

pub use self::action::{Action, Needs};
use crate::authentication::Principal;
use crate::policy::{Decision, PolicyClient, Question, Thing, Who};
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

/// What an endpoint does, in the words of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// `<resource>.<verb>`
    pub name: Cow<'static, str>,
    pub needs: Needs,
}

/// The caller may see the thing but not do this to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not allowed")]
pub struct Denied(Cow<'static, str>);

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::new(Code::Forbidden).detail(denied.to_string())
    }
}

/// Decides about one action on one thing. `None`: the holder of the internal token calls.
pub fn authorize(
    policy: &dyn PolicyClient,
    principal: Option<&Principal>,
    ask: &Ask,
    on: On,
) -> Result<(), Denied> {
    let (who, thing) = match principal {
        Some(principal) => (Who::Person(principal), thing(principal, ask.needs, on)),
        None => (Who::Service, Thing::Platform),
    };
    let question = Question {
        who,
        action: &ask.name,
        thing,
    };
    let decision = policy.decide(&question);
    log(policy, &question, ask.needs, &decision);
    if decision.allowed {
        Ok(())
    } else {
        Err(Denied(ask.name.clone()))
    }
}

fn thing(principal: &Principal, needs: Needs, on: On) -> Thing {
    let org = principal.org_id;
    match (needs, on) {
        (Needs::Operator | Needs::Finance | Needs::Token | Needs::Nothing, _) => Thing::Platform,
        (_, On::Organization) => Thing::Organization(org),
        (_, On::Project(project)) => Thing::Project(org, project),
        (_, On::Owned(owner)) => Thing::Belonging(org, owner),
    }
}

/// Every refusal and every use of an operator's right leaves the rules that determined it (POL-07).
fn log(policy: &dyn PolicyClient, question: &Question<'_>, needs: Needs, decision: &Decision) {
    if decision.allowed && needs != Needs::Operator {
        return;
    }
    tracing::info!(
        action = question.action,
        thing = ?question.thing,
        allowed = decision.allowed,
        rules = decision.rules.join(" "),
        policy_version = policy.version(),
        "decided"
    );
}

/// Lets platform operators through, to endpoints that are for nobody else. No rule opens these
/// doors: behind them every organization's rows are seen.
pub(crate) fn operator(principal: Option<&Principal>) -> Result<(), Problem> {
    if principal.is_some_and(Principal::is_operator) {
        Ok(())
    } else {
        Err(Problem::new(Code::Forbidden).detail("platform operators only"))
    }
}

/// Lets the people of finance through, and operators.
pub(crate) fn finance(principal: Option<&Principal>) -> Result<(), Problem> {
    if principal.is_some_and(Principal::sees_money) {
        Ok(())
    } else {
        Err(Problem::new(Code::Forbidden).detail("finance and platform operators only"))
    }
}

/// Decides before the thing is known: refuses whom no thing could change that. Tries the things
/// that are the caller's own; a rule that an operator added may know of others.
pub(crate) fn may_ever(
    policy: &dyn PolicyClient,
    principal: &Principal,
    ask: &Ask,
) -> Result<(), Denied> {
    let org = principal.org_id;
    let own = match ask.needs {
        Needs::Operator | Needs::Finance | Needs::Token | Needs::Nothing => {
            vec![Thing::Platform]
        }
        Needs::OwnOr(_) => vec![Thing::Belonging(org, principal.user_id)],
        Needs::Role(_) => std::iter::once(Thing::Organization(org))
            .chain(
                principal
                    .project_roles
                    .keys()
                    .map(|project| Thing::Project(org, *project)),
            )
            .collect(),
    };
    let mut rules = Vec::new();
    for thing in own {
        let question = Question {
            who: Who::Person(principal),
            action: &ask.name,
            thing,
        };
        let decision = policy.decide(&question);
        if decision.allowed {
            return Ok(());
        }
        rules.extend(decision.rules);
    }
    if policy.may_be_granted(&ask.name, org) {
        return Ok(());
    }
    tracing::info!(
        action = &*ask.name,
        allowed = false,
        rules = rules.join(" "),
        policy_version = policy.version(),
        "decided"
    );
    Err(Denied(ask.name.clone()))
}

#[cfg(test)]
mod tests;
