//! `/admin/prices`: what operators have SKUs cost. Everybody reads them under `/prices`.

mod create;
mod withdraw;

use crate::endpoint::Endpoint;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![create::endpoint(), withdraw::endpoint()]
}
