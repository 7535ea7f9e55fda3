//! `POST /projects/{id}/members`

use domain::id::{ProjectId, UserId};
use domain::role::ProjectRole;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::ProjectMember;
use crate::authorization::{Denied, On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::query::Path;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Principal,
            rate: RateClass::Write,
            idempotency: Idempotency::of::<ProjectMember>(),
            action: Some(&action::MEMBER_ADD),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddProjectMember)]
struct Request {
    /// Somebody of the organization.
    #[schema(value_type = String)]
    user_id: UserId,
    /// `viewer`, `member` or `admin`.
    #[schema(value_type = String)]
    role: ProjectRole,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("no such project")]
    ProjectNotFound,
    #[error("the person does not belong to the organization")]
    Stranger,
    #[error("the person is a member already")]
    MemberAlready,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Problem(#[from] Problem),
    #[error(transparent)]
    Database(db::Error),
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        match error.constraint() {
            Some("project_members_pkey") => Self::MemberAlready,
            Some("project_members_membership_fkey") => Self::Stranger,
            _ => Self::Database(error),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::ProjectNotFound => Self::not_found("project"),
            Error::Stranger => Self::invalid("/user_id", error.to_string()),
            Error::MemberAlready => Self::new(Code::Conflict).detail(error.to_string()),
            Error::Denied(denied) => denied.into(),
            Error::Problem(problem) => problem,
            Error::Database(error) => error.into(),
        }
    }
}

crate::answers_as_problem!(Error);

/// Add a member to a project
#[utoipa::path(post, path = "/api/v1/projects/{id}/members", params(("id" = String, Path)),
    request_body = Request,
    responses((status = 201, description = "The new member", body = ProjectMember)))]
async fn handler(
    mut mutation: Mutation,
    Path(project_id): Path<ProjectId>,
    Body(request): Body<Request>,
) -> Result<Committed<ProjectMember>, Error> {
    let project = db::project::lock(mutation.conn(), project_id).await?;
    let org_id = project.ok_or(Error::ProjectNotFound)?.org_id;
    let mut mutation = mutation.authorize(On::Project(project_id))?;
    let (conn, user_id) = (mutation.conn(), request.user_id);
    db::project_member::insert(conn, org_id, project_id, user_id, request.role).await?;
    let member = db::project_member::get(conn, project_id, user_id)
        .await?
        .ok_or(Error::Stranger)?;
    Ok(mutation.created(ProjectMember::from(member)).await?)
}
