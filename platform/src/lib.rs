//! Everything outside the process except Postgres, one module each.

pub mod settings;
pub mod telemetry;
