//! `/admin/nodes`: machines, as operators announce and watch them. The API judges where a machine
//! is said to be and never talks to it: workflows do.

mod cordon;
mod create;
mod drain;
mod get;
mod list;
mod order;
mod probe;
mod probe_reports;
mod quarantine;
mod retire;
mod service;
mod target;
mod uncordon;
mod view;

use crate::endpoint::Endpoint;

pub(crate) use view::AdminNodeView;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        create::endpoint(),
        list::endpoint(),
        get::endpoint(),
        probe::endpoint(),
        probe_reports::endpoint(),
        cordon::endpoint(),
        drain::endpoint(),
        uncordon::endpoint(),
        quarantine::endpoint(),
        retire::endpoint(),
    ]
}
