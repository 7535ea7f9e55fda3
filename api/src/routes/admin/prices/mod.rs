//! `/admin/prices`: what operators have SKUs cost. Everybody reads them under `/prices`.

mod create;
mod preview;
mod withdraw;

use crate::endpoint::Endpoint;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        create::endpoint(),
        preview::endpoint(),
        withdraw::endpoint(),
    ]
}
