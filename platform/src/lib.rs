//! Everything outside the process except Postgres, one module each.

pub mod health;
pub mod nats;
pub mod settings;
pub mod telemetry;
pub mod temporal;
