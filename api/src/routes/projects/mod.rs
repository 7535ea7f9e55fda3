//! `/projects`: where allocations live inside an organization.

mod create;
mod delete;
mod get;
mod list;
mod update;

use db::PgConnection;
use domain::id::{OrgId, ProjectId};
use domain::name::NameError;
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::endpoint::Endpoint;
use crate::resource::{Recall, Resource};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        create::endpoint(),
        list::endpoint(),
        get::endpoint(),
        update::endpoint(),
        delete::endpoint(),
    ]
}

/// A project, as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Project {
    #[schema(value_type = String, example = "proj_0198f3c2a4b07e1c9d5e6f708192a3b4")]
    id: ProjectId,
    #[schema(value_type = String)]
    organization_id: OrgId,
    name: String,
    description: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(skip)]
    version: i64,
}

impl From<db::project::Project> for Project {
    fn from(row: db::project::Project) -> Self {
        Self {
            id: row.id,
            organization_id: row.org_id,
            name: row.name,
            description: row.description,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

impl Resource for Project {
    const KIND: &'static str = "project";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/projects/{}", self.id)
    }
}

impl Recall for Project {
    async fn recall(_: &App, conn: &mut PgConnection, id: &str) -> db::Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(db::project::get(conn, id).await?.map(Self::from))
    }
}

/// What a project is for, in at most 1024 characters.
#[derive(Debug, Default)]
struct Description(String);

impl<'de> Deserialize<'de> for Description {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const MAX_CHARS: usize = 1024;
        let text = String::deserialize(deserializer)?;
        if text.chars().count() > MAX_CHARS {
            return Err(serde::de::Error::custom(NameError::Length(MAX_CHARS)));
        }
        if text.contains('\0') {
            return Err(serde::de::Error::custom(NameError::Control));
        }
        Ok(Self(text))
    }
}
