//! The four servers, one file each: how to prepare, start and try them. A `probe` is one attempt
//! to use the server the way Berth does.

pub(super) mod nats;
pub(super) mod postgres;
pub(super) mod redis;
pub(super) mod temporal;
