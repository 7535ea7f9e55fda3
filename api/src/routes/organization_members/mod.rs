//! `/organizations/{id}/members`: who belongs to an organization, and as what.

mod create;
mod delete;
mod get;
mod list;
mod update;

use db::PgConnection;
use db::membership::Membership;
use domain::id::{OrgId, UserId};
use domain::role::Role;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::authentication::Principal;
use crate::endpoint::{Authentication, Endpoint, Guard};
use crate::problem::{Code, Problem};
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

/// Members see each other, platform operators see all.
const READ: Guard = Guard {
    authentication: Authentication::PrincipalOrOperator,
    ..Guard::READ
};

/// A person's place in an organization.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationMember {
    #[schema(value_type = String)]
    organization_id: OrgId,
    #[schema(value_type = String, example = "user_0198f3c2a4b07e1c9d5e6f708192a3b4")]
    user_id: UserId,
    email: String,
    display_name: String,
    /// `viewer`, `member`, `admin` or `owner`.
    #[schema(value_type = String)]
    role: Role,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(skip)]
    version: i64,
}

impl From<Membership> for OrganizationMember {
    fn from(row: Membership) -> Self {
        Self {
            organization_id: row.org_id,
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

/// Named by both ids: `<organization>/<user>`.
impl Resource for OrganizationMember {
    const KIND: &'static str = "organization_member";

    fn id(&self) -> String {
        id(self.organization_id, self.user_id)
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!(
            "/api/v1/organizations/{}/members/{}",
            self.organization_id, self.user_id
        )
    }
}

fn id(org_id: OrgId, user_id: UserId) -> String {
    format!("{org_id}/{user_id}")
}

impl Recall for OrganizationMember {
    async fn recall(_: &App, conn: &mut PgConnection, id: &str) -> db::Result<Option<Self>> {
        let ids = id
            .split_once('/')
            .and_then(|(org, user)| Some((org.parse().ok()?, user.parse().ok()?)));
        let Some((org_id, user_id)) = ids else {
            return Ok(None);
        };
        let member = db::membership::get(conn, org_id, user_id).await?;
        Ok(member.map(Self::from))
    }
}

/// The organization, kept from changing, and so are its members: whoever changes them comes
/// through here.
async fn lock(conn: &mut PgConnection, org_id: OrgId) -> Result<(), Problem> {
    let found = db::organization::lock(conn, org_id).await?;
    found
        .map(drop)
        .ok_or_else(|| Problem::not_found("organization"))
}

/// Nobody gives or takes a role that is above his own.
fn within_reach(by: &Principal, role: Role) -> Result<(), Problem> {
    if by.is_operator() || role <= by.role {
        return Ok(());
    }
    Err(Problem::new(Code::Forbidden).detail(format!("{role} is above your own role")))
}

/// An organization without an owner could never be given one by its members.
async fn keeps_an_owner(conn: &mut PgConnection, member: &Membership) -> Result<(), Problem> {
    if member.role < Role::Owner
        || db::membership::has_other_owner(conn, member.org_id, member.user_id).await?
    {
        return Ok(());
    }
    Err(Problem::new(Code::Conflict).detail("an organization keeps at least one owner"))
}
