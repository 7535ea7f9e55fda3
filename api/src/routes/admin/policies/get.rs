//! `GET /admin/policies/{key}`

use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::{PolicyValue, ScopeName};
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::{Code, Problem};
use crate::query::{Path, Query};
use crate::resource::Found;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// `platform` (also when missing), or the id of an organization or a project.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    scope: ScopeName,
}

/// Get a policy in one scope
#[utoipa::path(get, path = "/api/v1/admin/policies/{key}", params(("key" = String, Path), Wanted),
    responses((status = 200, description = "The policy", body = PolicyValue)))]
async fn handler(
    mut reader: Reader,
    Path(key): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Found<PolicyValue>, Problem> {
    let policy = super::find(&key)?;
    let scope = wanted.scope.find(reader.conn()).await?;
    let scope =
        scope.ok_or_else(|| Problem::new(Code::NotFound).detail("there is no such scope"))?;
    Ok(Found(
        PolicyValue::read(reader.conn(), policy, scope).await?,
    ))
}
