//! `/projects/{id}/members`: who works in a project, beside those whose role in the organization
//! reaches into every project.

mod create;
mod delete;
mod get;
mod list;
mod update;

use db::PgConnection;
use domain::id::{ProjectId, UserId};
use domain::role::ProjectRole;
use serde::Serialize;
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

/// A person's place in a project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProjectMember {
    #[schema(value_type = String)]
    project_id: ProjectId,
    #[schema(value_type = String, example = "user_0198f3c2a4b07e1c9d5e6f708192a3b4")]
    user_id: UserId,
    email: String,
    display_name: String,
    /// `viewer`, `member` or `admin`.
    #[schema(value_type = String)]
    role: ProjectRole,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(skip)]
    version: i64,
}

impl From<db::project_member::ProjectMember> for ProjectMember {
    fn from(row: db::project_member::ProjectMember) -> Self {
        Self {
            project_id: row.project_id,
            user_id: row.user_id,
            email: row.email,
            display_name: row.display_name,
            role: row.role,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

/// Named by both ids: `<project>/<user>`.
impl Resource for ProjectMember {
    const KIND: &'static str = "project_member";

    fn id(&self) -> String {
        id(self.project_id, self.user_id)
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!(
            "/api/v1/projects/{}/members/{}",
            self.project_id, self.user_id
        )
    }
}

fn id(project_id: ProjectId, user_id: UserId) -> String {
    format!("{project_id}/{user_id}")
}

impl Recall for ProjectMember {
    async fn recall(_: &App, conn: &mut PgConnection, id: &str) -> db::Result<Option<Self>> {
        let ids = id
            .split_once('/')
            .and_then(|(p, u)| Some((p.parse().ok()?, u.parse().ok()?)));
        let Some((project_id, user_id)) = ids else {
            return Ok(None);
        };
        Ok(db::project_member::get(conn, project_id, user_id)
            .await?
            .map(Self::from))
    }
}
