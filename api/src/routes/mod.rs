//! Every endpoint of Berth.

pub(crate) mod admin;
pub(crate) mod allocations;
pub(crate) mod internal;
pub(crate) mod operations;
pub mod platform;
pub mod projects;

use crate::endpoint::Endpoint;

/// The one list of endpoints: the router, the guards and the OpenAPI document come from it.
pub fn registry() -> Vec<Endpoint> {
    [
        platform::endpoints(),
        projects::endpoints(),
        allocations::endpoints(),
        operations::endpoints(),
        admin::endpoints(),
        internal::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
