//! What is committed is what the running stack shows.

mod compose;
mod erd;
