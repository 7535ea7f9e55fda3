//! What tells one set of rows from any other.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::wire::Row;

/// SHA-256 of rows, or of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The digest of rows, taken while they pass.
#[derive(Debug, Clone, Default)]
pub struct RowDigest {
    state: Sha256,
    rows: u64,
    scratch: Vec<u8>,
}

impl RowDigest {
    pub fn update(&mut self, row: &Row) {
        self.scratch.clear();
        row.encode(&mut self.scratch);
        self.state.update(&self.scratch);
        self.rows += 1;
    }

    /// How many there were, and what they were.
    pub fn finish(self) -> (u64, Digest) {
        (self.rows, Digest(self.state.finalize().into()))
    }
}
