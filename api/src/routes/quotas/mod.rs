//! `/quotas`: how many GPUs of each SKU may be had together. Operators set them under
//! `/admin/quotas`.

mod list;

use db::quota::Quota;
use domain::id::{OrgId, ProjectId, QuotaId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::endpoint::Endpoint;
use crate::resource::Resource;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint()]
}

/// A limit of GPUs, as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quota)]
pub(crate) struct QuotaView {
    #[schema(value_type = String)]
    id: QuotaId,
    #[schema(value_type = String)]
    organization_id: OrgId,
    /// Whose limit it is; null: the whole organization's.
    #[schema(value_type = Option<String>, required)]
    project_id: Option<ProjectId>,
    #[schema(example = "h100-80gb")]
    sku: String,
    gpus_max: i64,
    /// What allocations ask for that wait, are made, are in use or are given back; more than
    /// `gpus_max` where that was lowered since.
    gpus_used: i64,
    gpus_left: i64,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(skip)]
    version: i64,
}

impl From<Quota> for QuotaView {
    fn from(quota: Quota) -> Self {
        Self {
            id: quota.id,
            organization_id: quota.org_id,
            project_id: quota.project_id,
            sku: quota.sku,
            gpus_max: quota.usage.gpus_max,
            gpus_used: quota.usage.gpus_used,
            gpus_left: quota.usage.gpus_left(),
            created_at: quota.created_at,
            updated_at: quota.updated_at,
            version: quota.version,
        }
    }
}

impl Resource for QuotaView {
    const KIND: &'static str = "quota";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        "/api/v1/quotas".to_owned()
    }
}
