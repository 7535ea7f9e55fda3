//! `/admin/billing-accounts`: on which terms organizations use what they use.

mod get;
mod list;
mod terms;

use crate::endpoint::Endpoint;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint(), get::endpoint(), terms::endpoint()]
}
