//! `/admin`: what platform operators see and do.

mod dead_letters;
mod identities;
mod nodes;
mod operations;
mod policies;

use crate::endpoint::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    [
        nodes::endpoints(),
        operations::endpoints(),
        dead_letters::endpoints(),
        identities::endpoints(),
        policies::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
