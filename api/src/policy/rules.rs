//! All rules in force, and the few of them that one question needs (POL-07).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use cedar_policy::{
    AuthorizationError, Authorizer, Decision as Cedar, Effect, Entities, EntityUid, Policy,
    PolicySet,
};
use domain::id::OrgId;

use super::book::{ActionFacts, Book};
use super::facts::{Kind, Unaskable};
use super::rule::{Rule, RuleError};
use super::{Decision, Question};

/// Rules that operators may add for everybody.
pub const MOST_FOR_PLATFORM: usize = 15;
/// Rules that operators may add for one organization. With those for everybody and the built-in
/// ones, at most 50 have a say in one question.
pub const MOST_PER_ORGANIZATION: usize = 25;

/// The rules of one version.
#[derive(Debug)]
pub struct Rules {
    book: Arc<Book>,
    platform: Vec<Arc<Rule>>,
    tenants: HashMap<OrgId, Vec<Arc<Rule>>>,
    /// Made when first asked for; an organization without rules of its own shares with all others.
    slices: RwLock<HashMap<Key, Arc<Slice>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    action: String,
    kind: Kind,
    org: Option<OrgId>,
}

/// The rules that could have a say, and the entities that are the same for every such question.
struct Slice {
    action: Arc<ActionFacts>,
    /// Those that are about more than one caller.
    rules: PolicySet,
    /// For callers whom a rule names: the same with those about them.
    named: HashMap<EntityUid, PolicySet>,
    entities: Entities,
}

impl Rules {
    /// The built-in rules alone.
    pub fn built_in(book: &Arc<Book>) -> Self {
        Self::of(book, std::iter::empty())
    }

    pub fn of(book: &Arc<Book>, added: impl IntoIterator<Item = Arc<Rule>>) -> Self {
        let mut rules = Self {
            book: Arc::clone(book),
            platform: Vec::new(),
            tenants: HashMap::new(),
            slices: RwLock::default(),
        };
        for rule in added {
            match rule.org {
                None => rules.platform.push(rule),
                Some(org) => rules.tenants.entry(org).or_default().push(rule),
            }
        }
        rules
    }

    /// Reads rows; those that `before` has in the same version are taken from there.
    pub(crate) fn read(
        book: &Arc<Book>,
        rows: &[db::authorization_policy::AuthorizationPolicy],
        before: Option<&Self>,
    ) -> Result<Self, (String, RuleError)> {
        let known: HashMap<String, &Arc<Rule>> = before
            .into_iter()
            .flat_map(Self::added)
            .map(|rule| (rule.policy.id().to_string(), rule))
            .collect();
        let mut added = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.id.to_string();
            let same = known.get(&id).filter(|rule| rule.version == row.version);
            added.push(match same {
                Some(rule) => Arc::clone(rule),
                None => Rule::compile(book, &id, row.version, row.org_id, &row.policy)
                    .map(Arc::new)
                    .map_err(|error| (id, error))?,
            });
        }
        Ok(Self::of(book, added))
    }

    fn added(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.platform.iter().chain(self.tenants.values().flatten())
    }

    /// Rules beyond the built-in ones that could have a say.
    fn concerned(
        &self,
        action: &ActionFacts,
        kind: Kind,
        org: Option<OrgId>,
    ) -> impl Iterator<Item = &Arc<Rule>> {
        let own = org.and_then(|org| self.tenants.get(&org));
        self.platform
            .iter()
            .chain(own.into_iter().flatten())
            .filter(move |rule| !action.repairs && rule.concerns(action, kind))
    }

    pub(crate) fn decide(&self, question: &Question<'_>) -> Decision {
        let judged = self
            .slice(question)
            .and_then(|slice| slice.judge(&self.book, question));
        judged.unwrap_or_else(|error| {
            tracing::error!(action = question.action, %error, "a question that cannot be asked");
            Decision {
                allowed: false,
                rules: Vec::new(),
            }
        })
    }

    /// Whether an added rule may allow the action to somebody of the organization.
    pub(crate) fn may_be_granted(&self, action: &str, org: OrgId) -> bool {
        self.book.action(action).is_some_and(|facts| {
            facts.kinds.iter().any(|kind| {
                self.concerned(facts, *kind, Some(org))
                    .any(|rule| rule.permits())
            })
        })
    }

    /// How many rules are looked at for a question, whoever asks it.
    pub fn slice_len(&self, question: &Question<'_>) -> usize {
        self.slice(question).map_or(0, |slice| {
            let sets = slice.named.values().chain([&slice.rules]);
            sets.map(|set| set.policies().count()).max().unwrap_or(0)
        })
    }

    fn slice(&self, question: &Question<'_>) -> Result<Arc<Slice>, Unaskable> {
        let org = question.thing.org();
        let key = Key {
            action: question.action.to_owned(),
            kind: question.thing.into(),
            org: org.filter(|org| self.tenants.contains_key(org)),
        };
        let known = self.slices.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(slice) = known.get(&key) {
            return Ok(Arc::clone(slice));
        }
        drop(known);
        let action = self.applicable(question.action, key.kind)?;
        let built_in = self
            .book
            .builtin
            .iter()
            .filter(|rule| rule.concerns(action, key.kind));
        let slice = Arc::new(Slice::new(
            &self.book,
            action,
            built_in.chain(self.concerned(action, key.kind, key.org)),
        )?);
        self.slices
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, Arc::clone(&slice));
        Ok(slice)
    }

    /// The action, if the schema lets it be done to such a thing.
    fn applicable(&self, action: &str, kind: Kind) -> Result<&Arc<ActionFacts>, Unaskable> {
        self.book
            .action(action)
            .filter(|facts| facts.kinds.contains(&kind))
            .ok_or_else(|| Unaskable(format!("{action} is not done to a {kind:?}")))
    }

    /// As [`Self::decide`], looking at every rule there is: what slicing must not change.
    #[cfg(test)]
    pub(crate) fn decide_unsliced(&self, question: &Question<'_>) -> Decision {
        let action = self
            .applicable(question.action, question.thing.into())
            .expect("a question of the schema");
        let added = self.added().filter(|_| !action.repairs);
        Slice::whole(&self.book, action, self.book.builtin.iter().chain(added))
            .and_then(|all| all.judge(&self.book, question))
            .expect("a question of the schema")
    }
}

impl Slice {
    fn new<'a>(
        book: &Book,
        action: &Arc<ActionFacts>,
        rules: impl Iterator<Item = &'a Arc<Rule>>,
    ) -> Result<Self, Unaskable> {
        let (about_one, others): (Vec<_>, Vec<_>) = rules.partition(|rule| rule.caller.is_some());
        let mut named: HashMap<&EntityUid, Vec<&Rule>> = HashMap::new();
        for rule in about_one {
            if let Some(caller) = &rule.caller {
                named.entry(caller).or_default().push(rule);
            }
        }
        let with = |more: &[&Rule]| {
            let rules = others
                .iter()
                .map(|rule| &***rule)
                .chain(more.iter().copied());
            set(rules.map(|rule| &rule.short))
        };
        let named = named
            .into_iter()
            .map(|(caller, rules)| Ok((caller.clone(), with(&rules)?)));
        Ok(Self {
            rules: with(&[])?,
            named: named.collect::<Result<_, Unaskable>>()?,
            ..Self::empty(book, action)?
        })
    }

    /// Every rule as it was written, for everybody.
    #[cfg(test)]
    fn whole<'a>(
        book: &Book,
        action: &Arc<ActionFacts>,
        rules: impl Iterator<Item = &'a Arc<Rule>>,
    ) -> Result<Self, Unaskable> {
        Ok(Self {
            rules: set(rules.map(|rule| &rule.policy))?,
            ..Self::empty(book, action)?
        })
    }

    fn empty(book: &Book, action: &Arc<ActionFacts>) -> Result<Self, Unaskable> {
        let fixed = book
            .types
            .roles()
            .into_iter()
            .chain(action.entities.clone());
        let entities =
            Entities::from_entities(fixed, None).map_err(|error| Unaskable(error.to_string()))?;
        Ok(Self {
            action: Arc::clone(action),
            rules: PolicySet::new(),
            named: HashMap::new(),
            entities,
        })
    }

    fn rules_for(&self, caller: Option<&EntityUid>) -> &PolicySet {
        let own = caller.and_then(|caller| self.named.get(caller));
        own.unwrap_or(&self.rules)
    }

    fn judge(&self, book: &Book, question: &Question<'_>) -> Result<Decision, Unaskable> {
        let (request, particular) = book.types.request(&self.action.uid, question)?;
        let entities = self
            .entities
            .clone()
            .add_entities(particular, None)
            .map_err(|error| Unaskable(error.to_string()))?;
        let rules = self.rules_for(request.principal());
        let response = Authorizer::new().is_authorized(&request, rules, &entities);
        let diagnostics = response.diagnostics();
        // A rule that fails counts as absent in Cedar. One that forbids must not vanish so.
        let broken: Vec<String> = diagnostics
            .errors()
            .map(|AuthorizationError::PolicyEvaluationError(error)| error.policy_id())
            .filter(|id| {
                let policy = rules.policy(id);
                policy.is_none_or(|policy| policy.effect() == Effect::Forbid)
            })
            .map(ToString::to_string)
            .collect();
        if !broken.is_empty() {
            return Ok(Decision {
                allowed: false,
                rules: broken,
            });
        }
        let mut rules: Vec<String> = diagnostics.reason().map(ToString::to_string).collect();
        rules.sort_unstable();
        Ok(Decision {
            allowed: response.decision() == Cedar::Allow,
            rules,
        })
    }
}

fn set<'a>(rules: impl Iterator<Item = &'a Policy>) -> Result<PolicySet, Unaskable> {
    PolicySet::from_policies(rules.cloned()).map_err(|error| Unaskable(error.to_string()))
}

impl std::fmt::Debug for Slice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slice")
            .field("rules", &self.rules.policies().count())
            .finish_non_exhaustive()
    }
}
