//! Everything outside the process except Postgres, one module each.

pub mod bus;
pub mod dial;
pub mod health;
pub mod kms;
pub mod limiter;
pub mod nats;
pub mod objects;
pub mod oidc;
pub mod payload;
pub mod sealing;
pub mod settings;
pub mod signing;
pub mod ssh;
pub mod telemetry;
pub mod temporal;
pub mod tickets;
pub mod weak_keys;
