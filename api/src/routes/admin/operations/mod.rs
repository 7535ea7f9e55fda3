//! `/admin/operations`: operations of every organization and of the platform.

mod list;

use crate::endpoint::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint()]
}
