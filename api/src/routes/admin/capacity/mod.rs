//! `/admin/capacity`: GPUs by SKU, and who waits for them.

mod list;

use crate::endpoint::Endpoint;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint()]
}
