//! `/internal`: numbers and levers for the people who run the installation.

mod stats;

use crate::endpoint::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![stats::endpoint()]
}
