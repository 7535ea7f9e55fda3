//! Tables that only grow, and their partitions.

pub(crate) mod archive;
mod archive_store;
mod billed;
mod books;
mod conversion;
mod killed;
mod leaving;
mod service;
mod year;
