//! `/admin/data-growth`: tables that only grow.

mod list;

use crate::endpoint::Endpoint;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint()]
}
