//! Rows of a table as a Parquet file, and back, so that it can be proved that they are the same.
//!
//! What goes in and what comes out is the binary form of `PostgreSQL`'s `COPY`
//! (<https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format"). The digest of a set of
//! rows is SHA-256 over that form of each, in their order: rows of a table, of a file and of a restored
//! table are equal if and only if theirs are.
//!
//! Nothing here knows a database or an object store.

mod column;
mod digest;
mod json;
mod read;
mod wire;
mod write;

pub use self::column::{Column, Kind};
pub use self::digest::{Digest, RowDigest};
pub use self::json::object;
pub use self::read::Reader;
pub use self::wire::{Decoder, Row, begin, end};
pub use self::write::Writer;

/// What was read is not what it should be, or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("not the binary form of COPY: {0}")]
    Wire(&'static str),
    #[error("{column}: not the form of its type")]
    Field { column: String },
    #[error("the file has other columns than it should")]
    Columns,
    #[error("the file: {0}")]
    File(#[from] parquet::errors::ParquetError),
}

impl Error {
    /// Whether the file could not be read or written: that may pass.
    pub fn is_io(&self) -> bool {
        let Self::File(parquet::errors::ParquetError::External(cause)) = self else {
            return false;
        };
        cause.is::<std::io::Error>()
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests;
