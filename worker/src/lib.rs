//! Wiring of `berth worker`, which runs workflows and their steps, and of `berth relay`, which
//! hands on what a transaction left in the outboxes.

pub mod history;
mod metrics;
mod postgres;
mod registry;
pub mod relay;
pub mod replay;
mod run;
mod schedules;
mod watch;

pub use history::replayer;
pub use registry::QUEUES;
pub use run::run;
pub use watch::Watch;
