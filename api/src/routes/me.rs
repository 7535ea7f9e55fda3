//! `GET /me`

use std::collections::BTreeMap;

use axum::Json;
use domain::id::{ApiKeyId, OrgId, ProjectId, UserId};
use domain::role::{PlatformRole, ProjectRole, Role};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::authentication::{Credential, Principal};
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::new(routes!(handler), Guard::READ)]
}

/// The caller, as Berth knows him.
#[derive(Debug, Serialize, ToSchema)]
struct Me {
    user: MyUser,
    organization: MyOrganization,
    /// Role in the organization: `viewer`, `member`, `admin` or `owner`.
    #[schema(value_type = String)]
    role: Role,
    /// Roles in single projects, which add to it.
    #[schema(value_type = BTreeMap<String, String>)]
    project_roles: BTreeMap<ProjectId, ProjectRole>,
    /// Runs the whole installation.
    platform_operator: bool,
    /// `operator`, or `finance`, which reads what concerns money; null: an ordinary person.
    #[schema(value_type = Option<String>, required)]
    platform_role: Option<PlatformRole>,
    credential: MyCredential,
    /// The key that was used, if it was one.
    #[schema(value_type = Option<String>)]
    api_key_id: Option<ApiKeyId>,
}

/// What the caller proved it with.
#[derive(Debug, Serialize, ToSchema)]
struct MyCredential {
    /// `api_key`, `access_token` or `browser_session`.
    kind: &'static str,
    /// The key, the identity at the provider, or the session.
    id: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct MyUser {
    #[schema(value_type = String)]
    id: UserId,
    email: String,
    display_name: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct MyOrganization {
    #[schema(value_type = String)]
    id: OrgId,
    name: String,
    slug: String,
}

/// Who is calling
#[utoipa::path(get, path = "/api/v1/me",
    responses((status = 200, description = "The caller", body = Me)))]
async fn handler(mut reader: Reader, principal: Principal) -> Result<Json<Me>, Problem> {
    let user = db::user::get(reader.conn(), principal.user_id).await?;
    let user = user.ok_or_else(|| Problem::not_found("user"))?;
    let organization = db::organization::get(reader.conn(), principal.org_id).await?;
    let organization = organization.ok_or_else(|| Problem::not_found("organization"))?;
    let (kind, api_key_id) = match principal.credential {
        Credential::ApiKey(id) => ("api_key", Some(id)),
        Credential::Identity(_) => ("access_token", None),
        Credential::Session(_) => ("browser_session", None),
    };
    let (platform_operator, platform_role) = (principal.is_operator(), principal.platform_role);
    Ok(Json(Me {
        user: MyUser {
            id: user.id,
            email: user.email,
            display_name: user.display_name,
        },
        organization: MyOrganization {
            id: organization.id,
            name: organization.name,
            slug: organization.slug,
        },
        role: principal.role,
        project_roles: principal.project_roles,
        platform_operator,
        platform_role,
        credential: MyCredential {
            kind,
            id: principal.credential.to_string(),
        },
        api_key_id,
    }))
}
