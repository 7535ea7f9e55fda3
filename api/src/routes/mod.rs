//! Every endpoint of Berth.

pub(crate) mod admin;
pub(crate) mod allocations;
pub(crate) mod api_keys;
pub(crate) mod auth;
pub(crate) mod billing;
pub(crate) mod catalog;
pub(crate) mod internal;
pub(crate) mod me;
pub(crate) mod operations;
pub(crate) mod organization_members;
pub(crate) mod organizations;
pub(crate) mod payments;
pub(crate) mod platform;
pub(crate) mod project_members;
pub(crate) mod projects;
pub(crate) mod quotas;
pub(crate) mod ssh_keys;

use crate::endpoint::Endpoint;

/// The one list of endpoints: the router, the guards and the OpenAPI document come from it.
pub fn registry() -> Vec<Endpoint> {
    [
        admin::endpoints(),
        allocations::endpoints(),
        api_keys::endpoints(),
        auth::endpoints().into(),
        billing::endpoints(),
        payments::endpoints(),
        catalog::endpoints(),
        internal::endpoints(),
        me::endpoints(),
        operations::endpoints(),
        organization_members::endpoints(),
        organizations::endpoints(),
        platform::endpoints(),
        project_members::endpoints(),
        projects::endpoints(),
        quotas::endpoints(),
        ssh_keys::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests;
