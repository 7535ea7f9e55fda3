//! `/regions`: where the machines are.

mod get;
mod list;

use serde::Serialize;
use utoipa::ToSchema;

use crate::endpoint::Endpoint;
use crate::resource::Resource;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint(), get::endpoint()]
}

/// A place with machines, as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Region {
    name: String,
    display_name: String,
    #[serde(skip)]
    version: i64,
}

impl From<db::catalog::Region> for Region {
    fn from(row: db::catalog::Region) -> Self {
        Self {
            name: row.name,
            display_name: row.display_name,
            version: row.version,
        }
    }
}

impl Resource for Region {
    const KIND: &'static str = "region";

    fn id(&self) -> String {
        self.name.clone()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/regions/{}", self.name)
    }
}
