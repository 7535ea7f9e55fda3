//! One version of all that policy says, whole.

use std::sync::Arc;

use db::authorization_policy::AuthorizationPolicy;
use db::policy::Override;
use domain::id::OrgId;
use domain::policy::{Policy, Scope};

use super::book::Book;
use super::rules::Rules;
use super::values::Values;
use super::{Decision, PolicyClient, Question};

/// What the database holds, read at one instant.
#[derive(Debug, Clone)]
pub struct Content {
    pub version: i64,
    pub values: Vec<Override>,
    pub rules: Vec<AuthorizationPolicy>,
}

/// Rules and values of one version.
#[derive(Debug)]
pub struct Snapshot {
    version: i64,
    rules: Rules,
    values: Values,
}

/// A row that this build cannot make sense of.
#[derive(Debug, thiserror::Error)]
#[error("{row}: {why}")]
pub struct Invalid {
    pub row: String,
    pub why: String,
}

impl Invalid {
    fn new((row, why): (String, impl std::fmt::Display)) -> Self {
        Self {
            row,
            why: why.to_string(),
        }
    }
}

impl Snapshot {
    /// All of it, or none: half a policy would be another one.
    pub fn read(
        book: &Arc<Book>,
        content: &Content,
        before: Option<&Self>,
    ) -> Result<Self, Invalid> {
        let before = before.map(|snapshot| &snapshot.rules);
        Ok(Self {
            version: content.version,
            rules: Rules::read(book, &content.rules, before).map_err(Invalid::new)?,
            values: Values::read(&content.values).map_err(Invalid::new)?,
        })
    }

    pub fn new(version: i64, rules: Rules, values: Values) -> Self {
        Self {
            version,
            rules,
            values,
        }
    }
}

impl PolicyClient for Snapshot {
    fn version(&self) -> i64 {
        self.version
    }

    fn value(&self, policy: &Policy, scope: Scope) -> i64 {
        self.values.resolve(policy, scope)
    }

    fn decide(&self, question: &Question<'_>) -> Decision {
        self.rules.decide(question)
    }

    fn may_be_granted(&self, action: &str, org: OrgId) -> bool {
        self.rules.may_be_granted(action, org)
    }
}
