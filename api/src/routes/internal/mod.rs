//! `/internal`: numbers and levers for the people who run the installation.

mod codec;
mod jwks_refresh;
mod stats;

use crate::endpoint::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut all = vec![jwks_refresh::endpoint(), stats::endpoint()];
    all.extend(codec::endpoints());
    all
}
