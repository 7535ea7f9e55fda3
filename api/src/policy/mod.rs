//! What policy says: who may do what, and the values that operators set.
//!
//! [`PolicyClient`] is the seam. A request takes one when it is let in and asks nobody else until
//! its end, so that it sees one version (POL-01). Behind it stands a [`Snapshot`] in memory:
//! built-in rules (`api/policies`), rules that operators added, and values, all read from
//! PostgreSQL at one instant. [`Live`] holds the one in force and [`refresh`] keeps it fresh.
//! A policy server would be another implementation of the trait (ADR 21).

mod book;
mod facts;
mod live;
pub(crate) mod refresh;
mod rule;
mod rules;
mod snapshot;
mod values;

use std::fmt::Debug;

use domain::id::{OrgId, ProjectId, UserId};
use domain::policy::{Policy, Scope};

use crate::authentication::Principal;

pub use self::book::{Book, BookError};
pub use self::live::{Heard, Live, Unusable};
pub use self::rule::{Rule, RuleError};
pub use self::rules::{MOST_FOR_PLATFORM, MOST_PER_ORGANIZATION, Rules};
pub use self::snapshot::{Content, Invalid, Snapshot};
pub use self::values::Values;

/// One version of what policy says.
pub trait PolicyClient: Debug + Send + Sync {
    fn version(&self) -> i64;

    /// The value that holds for a scope: project beats organization beats platform beats default.
    fn value(&self, policy: &Policy, scope: Scope) -> i64;

    /// Whether it may be done, and which rules determined that.
    fn decide(&self, question: &Question<'_>) -> Decision;

    /// Whether a rule beyond the built-in ones may allow this, to whom and where only
    /// [`Self::decide`] knows.
    fn may_be_granted(&self, action: &str, org: OrgId) -> bool;
}

/// May `who` do `action` on `thing`?
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub who: Who<'a>,
    /// `<resource>.<verb>`
    pub action: &'a str,
    pub thing: Thing,
}

#[derive(Debug, Clone, Copy)]
pub enum Who<'a> {
    Person(&'a Principal),
    /// The holder of the internal token.
    Service,
    Anybody,
}

/// What an action is about, as far as rights depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// The installation itself.
    Platform,
    Organization(OrgId),
    Project(OrgId, ProjectId),
    /// Something that belongs to a person.
    Belonging(OrgId, UserId),
}

impl Thing {
    pub fn org(self) -> Option<OrgId> {
        match self {
            Self::Platform => None,
            Self::Organization(org) | Self::Project(org, _) | Self::Belonging(org, _) => Some(org),
        }
    }
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    /// The rules that determined it; none: nothing allows it.
    pub rules: Vec<String>,
}

#[cfg(test)]
mod tests;
