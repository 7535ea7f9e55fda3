//! Tables that only grow, and their partitions.

pub(crate) mod archive;
mod archive_store;
mod books;
mod conversion;
pub(crate) mod scratch;
mod service;
mod year;
