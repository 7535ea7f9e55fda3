//! `/allocations`: tenants' holds on GPUs. Endpoints write down what is wanted; the workflow
//! `allocation/{id}` does it.

mod certify;
mod create;
mod events;
mod extend;
mod get;
mod list;
mod order;
mod release;
mod retry_release;
mod update;
mod usage;
mod view;

use crate::endpoint::Endpoint;

pub(crate) use order::Order;
pub(crate) use view::AllocationView;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        create::endpoint(),
        create::plan::endpoint(),
        list::endpoint(),
        get::endpoint(),
        update::endpoint(),
        release::endpoint(),
        extend::endpoint(),
        retry_release::endpoint(),
        events::endpoint(),
        usage::endpoint(),
        certify::endpoint(),
    ]
}
