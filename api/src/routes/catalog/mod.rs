//! The catalog: what can be leased, and where.

mod regions;
mod skus;

use crate::endpoint::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    regions::endpoints()
        .into_iter()
        .chain(skus::endpoints())
        .collect()
}
