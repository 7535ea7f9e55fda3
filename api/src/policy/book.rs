//! What is built into the binary: the schema, the actions in it, and the rules that every
//! installation starts with. The files are in `api/policies`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cedar_policy::{Entity, EntityUid, PolicyId, PolicySet, Schema, Validator};
use strum::VariantArray;

use super::facts::{Kind, Types};
use super::rule::Rule;

const SCHEMA: &str = include_str!("../../policies/berth.cedarschema");
const BUILTIN: &str = include_str!("../../policies/builtin.cedar");

/// Rules that operators add say nothing about these: whoever shuts everybody out can take it back.
const REPAIRS: &str = "authorization_policy.";

/// The files, read and checked.
pub struct Book {
    pub(crate) types: Types,
    pub(crate) validator: Validator,
    pub(crate) builtin: Vec<Arc<Rule>>,
    actions: HashMap<String, Arc<ActionFacts>>,
}

/// One action as the schema has it.
pub(crate) struct ActionFacts {
    pub(crate) uid: EntityUid,
    /// Itself and every group that it is in.
    pub(crate) groups: HashSet<EntityUid>,
    /// What it can be done to.
    pub(crate) kinds: Vec<Kind>,
    /// Itself and its groups, for the evaluator.
    pub(crate) entities: Vec<Entity>,
    /// Whether it mends the rules themselves.
    pub(crate) repairs: bool,
}

/// The files that were built in are not what they must be.
#[derive(Debug, thiserror::Error)]
#[error("api/policies: {0}")]
pub struct BookError(String);

impl BookError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Book {
    pub fn open() -> Result<Self, BookError> {
        Self::parse(SCHEMA, BUILTIN)
    }

    pub(crate) fn parse(schema: &str, builtin: &str) -> Result<Self, BookError> {
        let (schema, warnings) = Schema::from_cedarschema_str(schema).map_err(BookError::new)?;
        if let Some(warning) = warnings.into_iter().next() {
            return Err(BookError::new(warning));
        }
        let types = Types::parse().map_err(BookError::new)?;
        let actions = actions(&schema, &types)?;
        let validator = Validator::new(schema);
        let set: PolicySet = builtin.parse().map_err(BookError::new)?;
        let mut rules = Vec::new();
        for policy in set.policies() {
            let id = policy
                .annotation("id")
                .ok_or_else(|| BookError::new("a rule without an @id"))?;
            let policy = policy.new_id(PolicyId::new(id));
            let rule = Rule::built_in(&types, &validator, policy).map_err(BookError::new)?;
            rules.push(Arc::new(rule));
        }
        Ok(Self {
            types,
            validator,
            builtin: rules,
            actions,
        })
    }

    pub(crate) fn action(&self, name: &str) -> Option<&Arc<ActionFacts>> {
        self.actions.get(name)
    }

    /// Names of all actions.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.keys().map(String::as_str)
    }

    /// Whether the action mends the rules themselves.
    pub fn repairs(&self, action: &str) -> bool {
        self.action(action).is_some_and(|facts| facts.repairs)
    }
}

fn actions(schema: &Schema, types: &Types) -> Result<HashMap<String, Arc<ActionFacts>>, BookError> {
    let entities = schema.action_entities().map_err(BookError::new)?;
    let mut actions = HashMap::new();
    for uid in schema.actions() {
        // A group is nothing that could be done.
        let Some(applies) = schema.resources_for_action(uid) else {
            continue;
        };
        let applies: HashSet<_> = applies.collect();
        if applies.is_empty() {
            continue;
        }
        let mut groups = HashSet::from([uid.clone()]);
        groups.extend(entities.ancestors(uid).into_iter().flatten().cloned());
        let name = uid.id().unescaped().to_owned();
        let facts = ActionFacts {
            kinds: Kind::VARIANTS
                .iter()
                .copied()
                .filter(|kind| applies.contains(types.of(*kind)))
                .collect(),
            entities: groups
                .iter()
                .filter_map(|group| entities.get(group).cloned())
                .collect(),
            repairs: name.starts_with(REPAIRS),
            uid: uid.clone(),
            groups,
        };
        actions.insert(name, Arc::new(facts));
    }
    Ok(actions)
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Book")
            .field("actions", &self.actions.len())
            .field("builtin", &self.builtin.len())
            .finish_non_exhaustive()
    }
}
