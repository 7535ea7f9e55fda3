//! One idempotent effect per function, implementing `contract`. What follows what is not known
//! here.

pub mod step;
