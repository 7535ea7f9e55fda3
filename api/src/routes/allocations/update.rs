//! `PATCH /allocations/{id}`

use domain::id::AllocationId;
use domain::label::{self, Labels};
use domain::name::Name;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::AllocationView;
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::if_match::IfMatch;
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Principal,
            rate: RateClass::Write,
            idempotency: Idempotency::None,
            action: Some(&action::ALLOCATION_UPDATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateAllocation)]
struct Request {
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    name: Option<Name>,
    /// All labels: those that are not named are taken off.
    #[schema(value_type = Option<Object>)]
    labels: Option<Labels>,
}

/// Rename or relabel an allocation
#[utoipa::path(patch, path = "/api/v1/allocations/{id}", params(("id" = String, Path)),
    request_body = Request,
    responses((status = 200, description = "The allocation as it is now", body = AllocationView)))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<AllocationId>,
    if_match: IfMatch,
    Body(request): Body<Request>,
) -> Result<Committed<AllocationView>, Problem> {
    if let Some(labels) = &request.labels {
        sound_labels(labels)?;
    }
    let org = mutation.principal()?.org_id;
    let row = db::allocation::lock(mutation.conn(), org, id).await?;
    let row = row.ok_or_else(|| Problem::not_found(AllocationView::KIND))?;
    let mut permitted = mutation.authorize(On::Project(row.project_id))?;
    if_match.check(row.version)?;
    let name = request.name.as_ref().map(Name::as_str);
    let row =
        db::allocation::update(permitted.conn(), org, id, name, request.labels.as_ref()).await?;
    let view = AllocationView::load(permitted.conn(), row).await?;
    Ok(permitted.updated(view).await?)
}

/// Points at the label that is not sound.
pub(super) fn sound_labels(labels: &Labels) -> Result<(), Problem> {
    label::check(labels).map_err(|(key, error)| {
        let member = key.map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1")));
        Problem::invalid(
            format!("/labels{}", member.unwrap_or_default()),
            error.to_string(),
        )
    })
}
