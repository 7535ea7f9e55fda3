//! `/admin/quotas`: limits of GPUs that operators set.

mod delete;
mod list;
mod put;

use crate::endpoint::Endpoint;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint(), put::endpoint(), delete::endpoint()]
}
