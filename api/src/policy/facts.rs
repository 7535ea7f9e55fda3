//! A question in Cedar's words: principal, resource, and what is known of both.

use std::collections::HashSet;

use cedar_policy::{
    Context, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use domain::role::Role;
use strum::VariantArray;

use super::{Question, Thing, Who};
use crate::authentication::Principal;

/// Types of things, as the schema names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::VariantArray)]
pub(crate) enum Kind {
    Platform,
    Organization,
    Project,
    Belonging,
}

impl From<Thing> for Kind {
    fn from(thing: Thing) -> Self {
        match thing {
            Thing::Platform => Self::Platform,
            Thing::Organization(_) => Self::Organization,
            Thing::Project(..) => Self::Project,
            Thing::Belonging(..) => Self::Belonging,
        }
    }
}

/// Names of types, parsed once.
#[derive(Debug)]
pub(crate) struct Types {
    pub(crate) role: EntityTypeName,
    pub(crate) user: EntityTypeName,
    pub(crate) service: EntityTypeName,
    pub(crate) anybody: EntityTypeName,
    pub(crate) platform: EntityTypeName,
    pub(crate) organization: EntityTypeName,
    pub(crate) project: EntityTypeName,
    pub(crate) belonging: EntityTypeName,
}

impl Types {
    pub(crate) fn parse() -> Result<Self, Box<cedar_policy::ParseErrors>> {
        Ok(Self {
            role: "Berth::Role".parse()?,
            user: "Berth::User".parse()?,
            service: "Berth::Service".parse()?,
            anybody: "Berth::Anybody".parse()?,
            platform: "Berth::Platform".parse()?,
            organization: "Berth::Organization".parse()?,
            project: "Berth::Project".parse()?,
            belonging: "Berth::Belonging".parse()?,
        })
    }

    pub(crate) fn of(&self, kind: Kind) -> &EntityTypeName {
        match kind {
            Kind::Platform => &self.platform,
            Kind::Organization => &self.organization,
            Kind::Project => &self.project,
            Kind::Belonging => &self.belonging,
        }
    }

    /// Every role, each inside of the weaker one.
    pub(crate) fn roles(&self) -> Vec<Entity> {
        let mut weaker = None;
        let mut roles = Vec::new();
        for role in Role::VARIANTS {
            let uid = self.role(*role);
            roles.push(Entity::new_no_attrs(
                uid.clone(),
                weaker.replace(uid).into_iter().collect(),
            ));
        }
        roles
    }

    fn role(&self, role: Role) -> EntityUid {
        uid(&self.role, role.as_str())
    }

    /// The request, and the entities that are particular to it.
    pub(crate) fn request(
        &self,
        action: &EntityUid,
        question: &Question<'_>,
    ) -> Result<(Request, Vec<Entity>), Unaskable> {
        let mut entities = Vec::with_capacity(2);
        let principal = match question.who {
            Who::Person(principal) => {
                let user = self.user(principal)?;
                let uid = user.uid();
                entities.push(user);
                uid
            }
            Who::Service => uid(&self.service, "token"),
            Who::Anybody => uid(&self.anybody, "anybody"),
        };
        let thing = self.thing(question.thing)?;
        let resource = thing.uid();
        entities.push(thing);
        let request = Request::new(principal, action.clone(), resource, Context::empty(), None)
            .map_err(|error| Unaskable(error.to_string()))?;
        Ok((request, entities))
    }

    fn user(&self, principal: &Principal) -> Result<Entity, Unaskable> {
        let organization = uid(&self.organization, &principal.org_id.to_string());
        let attributes = [
            ("organization".to_owned(), expression(organization)),
            (
                "operator".to_owned(),
                RestrictedExpression::new_bool(principal.is_operator()),
            ),
            (
                "finance".to_owned(),
                RestrictedExpression::new_bool(principal.sees_money()),
            ),
        ];
        let tags = principal.project_roles.iter().map(|(project, role)| {
            let role = self.role(Role::from(*role));
            (project.to_string(), expression(role))
        });
        let user = uid(&self.user, &principal.user_id.to_string());
        Entity::new_with_tags(user, attributes, [self.role(principal.role)], tags)
            .map_err(|error| Unaskable(error.to_string()))
    }

    fn thing(&self, thing: Thing) -> Result<Entity, Unaskable> {
        let within = |org| uid(&self.organization, &format!("{org}"));
        let (uid, attributes, parents) = match thing {
            Thing::Platform => (uid(&self.platform, "berth"), Vec::new(), HashSet::new()),
            Thing::Organization(org) => (within(org), Vec::new(), HashSet::new()),
            Thing::Project(org, project) => {
                let id = project.to_string();
                let attribute = RestrictedExpression::new_string(id.clone());
                (
                    uid(&self.project, &id),
                    vec![("id".to_owned(), attribute)],
                    HashSet::from([within(org)]),
                )
            }
            Thing::Belonging(org, owner) => {
                let owner = owner.to_string();
                let attribute = expression(uid(&self.user, &owner));
                (
                    uid(&self.belonging, &owner),
                    vec![("owner".to_owned(), attribute)],
                    HashSet::from([within(org)]),
                )
            }
        };
        Entity::new_with_tags(uid, attributes, parents, [])
            .map_err(|error| Unaskable(error.to_string()))
    }
}

/// A question that Cedar cannot be asked; it is denied.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unaskable(pub(crate) String);

pub(crate) fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn expression(uid: EntityUid) -> RestrictedExpression {
    RestrictedExpression::new_entity_uid(uid)
}
