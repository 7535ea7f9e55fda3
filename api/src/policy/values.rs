//! Values of policies, resolved without a query.

use std::collections::HashMap;

use db::policy::{Override, Place};
use domain::policy::{self, Policy, PolicyError, Scope};

/// Every override of one version.
#[derive(Debug, Default)]
pub struct Values(HashMap<&'static str, HashMap<Place, i64>>);

impl Values {
    /// Keys that this build does not know are left out: a newer one may run beside it.
    pub fn read(rows: &[Override]) -> Result<Self, (String, PolicyError)> {
        let mut values: HashMap<&'static str, HashMap<Place, i64>> = HashMap::new();
        for row in rows {
            let Some(policy) = policy::find(&row.key) else {
                continue;
            };
            let value = policy
                .parse(&row.value)
                .map_err(|error| (row.key.clone(), error))?;
            values
                .entry(policy.key)
                .or_default()
                .insert(row.place, value);
        }
        Ok(Self(values))
    }

    /// Project beats organization beats platform beats default.
    pub fn resolve(&self, policy: &Policy, scope: Scope) -> i64 {
        let places = match scope {
            Scope::Platform => [None, None, Some(Place::Platform)],
            Scope::Organization(org) => {
                [None, Some(Place::Organization(org)), Some(Place::Platform)]
            }
            Scope::Project(org, project) => [
                Some(Place::Project(project)),
                Some(Place::Organization(org)),
                Some(Place::Platform),
            ],
        };
        self.0
            .get(policy.key)
            .and_then(|set| places.iter().flatten().find_map(|place| set.get(place)))
            .copied()
            .unwrap_or(policy.default)
    }
}
