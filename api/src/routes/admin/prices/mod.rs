//! `/admin/prices`: what operators have SKUs cost. Everybody reads them under `/prices`.

mod create;

use crate::endpoint::Endpoint;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![create::endpoint()]
}
