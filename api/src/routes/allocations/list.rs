//! `GET /allocations`

use domain::id::{AllocationId, ProjectId};
use domain::label::Selector;
use domain::state::AllocationState;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::AllocationView;
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::{Code, Problem};
use crate::query::Query;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    #[param(value_type = Option<String>)]
    project_id: Option<ProjectId>,
    /// Any of these states, separated by commas.
    state: Option<String>,
    /// All of these labels, separated by commas: `team=ml` for a value, `spot` for any value.
    label: Option<String>,
}

impl Filter {
    fn read(&self) -> Result<db::allocation::Filter, Problem> {
        let invalid = |detail: String| Problem::new(Code::InvalidQuery).detail(detail);
        let states = self.state.iter().flat_map(|text| text.split(','));
        let states = states
            .map(str::parse::<AllocationState>)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| invalid("state names no state of an allocation".to_owned()))?;
        let selector = match &self.label {
            Some(text) => text
                .parse()
                .map_err(|error| invalid(format!("label: {error}")))?,
            None => Selector::default(),
        };
        Ok(db::allocation::Filter {
            project: self.project_id,
            states,
            labels: selector.equal,
            label_keys: selector.present,
        })
    }
}

/// List allocations, newest first
#[utoipa::path(get, path = "/api/v1/allocations", params(Paging, Filter),
    responses((status = 200, description = "One page", body = Page<AllocationView>)))]
async fn handler(
    principal: Principal,
    mut reader: Reader,
    paging: Paging,
    Query(filter): Query<Filter>,
) -> Result<Page<AllocationView>, Problem> {
    let after = paging.after::<AllocationView, AllocationId>()?;
    let filter = filter.read()?;
    let org = principal.org_id;
    let rows = db::allocation::list(reader.conn(), org, &filter, after, paging.rows()).await?;
    Ok(paging.page(AllocationView::load_all(reader.conn(), org, rows).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(state: Option<&str>, label: Option<&str>) -> Result<db::allocation::Filter, Code> {
        let filter = Filter {
            project_id: None,
            state: state.map(ToOwned::to_owned),
            label: label.map(ToOwned::to_owned),
        };
        filter.read().map_err(|problem| problem.code())
    }

    #[test]
    fn states_and_labels() {
        let read = filter(Some("active,degraded"), Some("team=ml,spot")).expect("sound");
        assert_eq!(
            read.states,
            [AllocationState::Active, AllocationState::Degraded]
        );
        assert_eq!(read.labels.get("team").map(String::as_str), Some("ml"));
        assert_eq!(read.label_keys, ["spot"]);
        for (state, label) in [
            (Some("gone"), None),
            (Some(""), None),
            (None, Some("=")),
            (None, Some("")),
        ] {
            assert_eq!(
                filter(state, label).err(),
                Some(Code::InvalidQuery),
                "{state:?} {label:?}"
            );
        }
    }
}
