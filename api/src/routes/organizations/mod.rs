//! `/organizations`: the tenants.

mod create;
mod delete;
mod get;
mod list;
mod update;

use db::PgConnection;
use domain::id::OrgId;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::endpoint::{Authentication, Endpoint, Guard};
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

/// Members see their own, platform operators see all.
const READ: Guard = Guard {
    authentication: Authentication::PrincipalOrOperator,
    ..Guard::READ
};

/// An organization, as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Organization {
    #[schema(value_type = String, example = "org_0198f3c2a4b07e1c9d5e6f708192a3b4")]
    id: OrgId,
    name: String,
    slug: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(skip)]
    version: i64,
}

impl From<db::organization::Organization> for Organization {
    fn from(row: db::organization::Organization) -> Self {
        Self {
            id: row.id,
            name: row.name,
            slug: row.slug,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

impl Resource for Organization {
    const KIND: &'static str = "organization";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/organizations/{}", self.id)
    }
}

impl Recall for Organization {
    async fn recall(_: &App, conn: &mut PgConnection, id: &str) -> db::Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(db::organization::get(conn, id).await?.map(Self::from))
    }
}
