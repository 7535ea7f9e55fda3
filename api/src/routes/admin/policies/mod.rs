//! `/admin/policies`: settings that change while Berth runs. A project's value beats its
//! organization's, that beats the platform's, and that beats the built-in default.

mod get;
mod list;
mod put;

use db::PgConnection;
use domain::id::{OrgId, ProjectId};
use domain::policy::{Policy, Scope};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::endpoint::Endpoint;
use crate::problem::{Code, Problem};
use crate::resource::Resource;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint(), get::endpoint(), put::endpoint()]
}

/// A setting in one scope, as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PolicyValue {
    #[schema(example = "allocation.lease_seconds")]
    key: &'static str,
    /// `platform`, or the id of an organization or a project.
    scope: String,
    /// What was set in exactly this scope; null: nothing.
    #[schema(required)]
    value: Option<i64>,
    /// What holds in this scope, whichever scope it comes from.
    effective_value: i64,
    default_value: i64,
    min: i64,
    max: i64,
    /// `seconds` or `count`.
    unit: &'static str,
    description: &'static str,
    #[serde(with = "time::serde::rfc3339::option")]
    updated_at: Option<OffsetDateTime>,
    #[serde(skip)]
    version: i64,
}

impl PolicyValue {
    async fn read(
        conn: &mut PgConnection,
        policy: &'static Policy,
        scope: Scope,
    ) -> db::Result<Self> {
        let set = db::policy::get(conn, policy, scope).await?;
        let effective_value = db::policy::resolve(conn, policy, scope).await?;
        Ok(Self {
            key: policy.key,
            scope: name(scope),
            value: set.as_ref().map(|set| set.value),
            effective_value,
            default_value: policy.default,
            min: policy.min,
            max: policy.max,
            unit: policy.unit.into(),
            description: policy.text,
            updated_at: set.as_ref().map(|set| set.updated_at),
            version: set.map_or(0, |set| set.version),
        })
    }
}

impl Resource for PolicyValue {
    const KIND: &'static str = "policy";

    fn id(&self) -> String {
        format!("{}/{}", self.key, self.scope)
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/policies/{}?scope={}", self.key, self.scope)
    }
}

fn name(scope: Scope) -> String {
    match scope {
        Scope::Platform => PLATFORM.to_owned(),
        Scope::Organization(org_id) => org_id.to_string(),
        Scope::Project(_, project_id) => project_id.to_string(),
    }
}

const PLATFORM: &str = "platform";

/// Whose value is meant: `platform` (also when missing), `org_…` or `proj_…`.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct ScopeName(Option<String>);

impl ScopeName {
    /// Finds what the name stands for; `None`: there is no such thing.
    pub(super) async fn find(&self, conn: &mut PgConnection) -> db::Result<Option<Scope>> {
        let text = match self.0.as_deref() {
            None | Some(PLATFORM) => return Ok(Some(Scope::Platform)),
            Some(text) => text,
        };
        if let Ok(org_id) = text.parse::<OrgId>() {
            let found = db::organization::get(conn, org_id).await?;
            return Ok(found.map(|organization| Scope::Organization(organization.id)));
        }
        let Ok(project_id) = text.parse::<ProjectId>() else {
            return Ok(None);
        };
        let found = db::project::get(conn, project_id).await?;
        Ok(found.map(|project| Scope::Project(project.org_id, project.id)))
    }
}

fn find(key: &str) -> Result<&'static Policy, Problem> {
    domain::policy::find(key)
        .ok_or_else(|| Problem::new(Code::NotFound).detail("there is no such policy"))
}
