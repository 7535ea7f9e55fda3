//! Facts for the event stream, one closed type each: ids, states, times and numbers.
//!
//! An event can only be built from these types, so what is not in its JSON Schema (committed
//! under `doc/events/`) cannot be published. Whoever wants more asks the API by id, with rights of
//! his own.

mod kinds;
mod value;

pub use kinds::*;
pub use value::At;

/// The largest event, in bytes of JSON.
pub const MAX_BYTES: usize = 8192;

#[cfg(test)]
mod guard;
#[cfg(test)]
mod schema_files;
