//! `/admin/partitions`: the parts of tables that only grow.

mod list;
mod maintain;
mod plan;

use crate::endpoint::Endpoint;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint(), plan::endpoint(), maintain::endpoint()]
}
