//! One rule: a Cedar policy that fits the schema, and what its head says it is about.

use std::collections::HashSet;

use cedar_policy::{
    ActionConstraint, Effect, EntityUid, Policy, PolicyId, PolicySet, PrincipalConstraint,
    ResourceConstraint, ValidationMode, Validator,
};
use domain::id::OrgId;
use serde_json::json;
use strum::VariantArray;

use super::book::{ActionFacts, Book};
use super::facts::{Kind, Types, uid};

/// A rule that was found sound.
#[derive(Debug)]
pub struct Rule {
    /// Of the row's content, so that an unchanged rule is not read again.
    pub(crate) version: i64,
    pub(crate) org: Option<OrgId>,
    pub(crate) policy: Policy,
    /// The same without the parts of its head that hold wherever it has a say ([`Self::concerns`]):
    /// Cedar builds an expression of the head anew for each decision.
    pub(crate) short: Policy,
    /// The one caller whom it is about; `None`: others, too.
    pub(crate) caller: Option<EntityUid>,
    actions: Actions,
    kinds: Vec<Kind>,
}

/// Which actions a head names.
#[derive(Debug)]
enum Actions {
    All,
    /// The very action: for Cedar no action equals its group.
    One(EntityUid),
    In(HashSet<EntityUid>),
}

/// Why a text is no rule, each as Cedar says it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct RuleError(pub Vec<String>);

impl Rule {
    /// Reads a text and judges it by the schema. A rule of an organization must name it in its
    /// head, so that it says of itself whom it is about.
    pub fn compile(
        book: &Book,
        id: &str,
        version: i64,
        org: Option<OrgId>,
        text: &str,
    ) -> Result<Self, RuleError> {
        let policy = Policy::parse(Some(PolicyId::new(id)), text)
            .map_err(|errors| RuleError(errors.iter().map(ToString::to_string).collect()))?;
        if let Some(org) = org {
            let inside = uid(&book.types.organization, &org.to_string());
            let named = match policy.resource_constraint() {
                ResourceConstraint::In(place)
                | ResourceConstraint::Eq(place)
                | ResourceConstraint::IsIn(_, place) => place == inside,
                ResourceConstraint::Any | ResourceConstraint::Is(_) => false,
            };
            if !named {
                return Err(RuleError(vec![format!(
                    "a rule of an organization must say so in its head: resource in {inside}"
                )]));
            }
        }
        let (rule, slips) = Self::check(&book.types, &book.validator, policy, version, org)?;
        // Such as a rule that can never apply: a slip of whoever wrote it.
        if slips.is_empty() {
            Ok(rule)
        } else {
            Err(RuleError(slips))
        }
    }

    /// One of the built-in rules, which may be about nothing that this build does.
    pub(crate) fn built_in(
        types: &Types,
        validator: &Validator,
        policy: Policy,
    ) -> Result<Self, RuleError> {
        Self::check(types, validator, policy, 0, None).map(|(rule, _)| rule)
    }

    /// The rule, and what Cedar warns of.
    fn check(
        types: &Types,
        validator: &Validator,
        policy: Policy,
        version: i64,
        org: Option<OrgId>,
    ) -> Result<(Self, Vec<String>), RuleError> {
        let alone = PolicySet::from_policies([policy.clone()])
            .map_err(|error| RuleError(vec![error.to_string()]))?;
        let result = validator.validate(&alone, ValidationMode::Strict);
        let errors: Vec<String> = result
            .validation_errors()
            .map(ToString::to_string)
            .collect();
        if !errors.is_empty() {
            return Err(RuleError(errors));
        }
        let warnings = result.validation_warnings().map(ToString::to_string);
        let rule = Self {
            version,
            org,
            actions: match policy.action_constraint() {
                ActionConstraint::Any => Actions::All,
                ActionConstraint::Eq(action) => Actions::One(action),
                ActionConstraint::In(groups) => Actions::In(groups.into_iter().collect()),
            },
            kinds: kinds(types, &policy.resource_constraint()),
            caller: match policy.principal_constraint() {
                PrincipalConstraint::Eq(caller) => Some(caller),
                _ => None,
            },
            short: shortened(types, &policy, org)?,
            policy,
        };
        Ok((rule, warnings.collect()))
    }

    /// Whether the rule could have a say, going by its head.
    pub(crate) fn concerns(&self, action: &ActionFacts, kind: Kind) -> bool {
        let by_action = match &self.actions {
            Actions::All => true,
            Actions::One(one) => *one == action.uid,
            Actions::In(groups) => !groups.is_disjoint(&action.groups),
        };
        by_action && self.kinds.contains(&kind)
    }

    pub(crate) fn permits(&self) -> bool {
        self.policy.effect() == Effect::Permit
    }
}

/// A rule has a say about its own actions only, and an organization's about what is inside of it
/// only: its head need not ask again.
fn shortened(types: &Types, policy: &Policy, org: Option<OrgId>) -> Result<Policy, RuleError> {
    let sorry = |error: &dyn std::fmt::Display| RuleError(vec![error.to_string()]);
    let mut json = policy.to_json().map_err(|error| sorry(&error))?;
    let anything = json!({"op": "All"});
    json["action"] = anything.clone();
    let inside = org.map(|org| uid(&types.organization, &org.to_string()));
    if let ResourceConstraint::In(place) = policy.resource_constraint()
        && Some(place) == inside
    {
        json["resource"] = anything;
    }
    Policy::from_json(Some(policy.id().clone()), json).map_err(|error| sorry(&error))
}

/// What kinds of things a head lets through.
fn kinds(types: &Types, resource: &ResourceConstraint) -> Vec<Kind> {
    let inside = |place: &EntityUid| {
        let place = place.type_name();
        if *place == types.organization {
            vec![Kind::Organization, Kind::Project, Kind::Belonging]
        } else {
            of(types, place)
        }
    };
    match resource {
        ResourceConstraint::Any => Kind::VARIANTS.to_vec(),
        ResourceConstraint::Is(kind) => of(types, kind),
        ResourceConstraint::Eq(thing) => of(types, thing.type_name()),
        ResourceConstraint::In(place) => inside(place),
        ResourceConstraint::IsIn(kind, place) => {
            let within = inside(place);
            of(types, kind)
                .into_iter()
                .filter(|kind| within.contains(kind))
                .collect()
        }
    }
}

fn of(types: &Types, name: &cedar_policy::EntityTypeName) -> Vec<Kind> {
    Kind::VARIANTS
        .iter()
        .copied()
        .filter(|kind| types.of(*kind) == name)
        .collect()
}
