//! `/admin/signing-keys`: the keys that Berth signs with, without their private halves.

mod list;

use crate::endpoint::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint()]
}
