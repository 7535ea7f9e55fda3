//! `/skus`: the shapes on sale.

mod get;
mod list;

use serde::Serialize;
use utoipa::ToSchema;

use crate::endpoint::Endpoint;
use crate::resource::Resource;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint(), get::endpoint()]
}

/// A GPU model in a region, as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sku {
    #[schema(example = "h100-80gb")]
    name: String,
    region: String,
    display_name: String,
    /// As `nvidia-smi` prints it.
    gpu_model: String,
    gpu_memory_bytes: i64,
    /// The most that one allocation can get.
    gpus_per_node: i32,
    #[serde(skip)]
    version: i64,
}

impl From<db::catalog::Sku> for Sku {
    fn from(row: db::catalog::Sku) -> Self {
        Self {
            name: row.name,
            region: row.region,
            display_name: row.display_name,
            gpu_model: row.gpu_model,
            gpu_memory_bytes: row.gpu_memory_bytes,
            gpus_per_node: row.gpus_per_node,
            version: row.version,
        }
    }
}

impl Resource for Sku {
    const KIND: &'static str = "sku";

    fn id(&self) -> String {
        self.name.clone()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/skus/{}", self.name)
    }
}
