//! Tables that only grow, and their partitions.

mod conversion;
mod scratch;
mod service;
mod year;
