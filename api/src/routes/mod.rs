//! Every endpoint of Berth.

pub mod platform;
pub mod projects;

use crate::endpoint::Endpoint;

/// The one list of endpoints: the router, the guards and the OpenAPI document come from it.
pub fn registry() -> Vec<Endpoint> {
    [platform::endpoints(), projects::endpoints()]
        .into_iter()
        .flatten()
        .collect()
}
