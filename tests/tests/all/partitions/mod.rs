//! Tables that only grow, and their partitions.

mod archive;
mod archive_store;
mod books;
mod conversion;
mod scratch;
mod service;
mod year;
