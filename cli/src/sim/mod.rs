//! Simulated GPU nodes: each a real OpenSSH server with accounts, host key and address of its
//! own, in namespaces of this machine. Only the GPUs are made up.
//!
//! [`host()`] is the one privileged process; [`tether()`] is the unprivileged one whose life is
//! the node's life.

mod fault;
pub(crate) mod host;
mod machine;
mod network;
mod place;
mod protocol;
pub(crate) mod tether;

use crate::exit::Failure;
use crate::role::block_on;

pub(crate) fn host(args: host::HostArgs) -> Result<(), Failure> {
    platform::telemetry::init("node-host");
    Ok(block_on(host::run(args))?)
}

pub(crate) fn tether(args: tether::TetherArgs) -> Result<(), Failure> {
    Ok(block_on(tether::run(args))?)
}
