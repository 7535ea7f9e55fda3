//! Why a statement did not do what was asked.

/// Five causes, five people to call: the database (retry), the schema's guard (the caller broke a
/// rule), whoever keeps partitions ahead, somebody else who was faster, and a row that should not
/// exist.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not be asked, or answered with a failure of its own.
    #[error("database")]
    Database(#[source] sqlx::Error),
    /// A named constraint or guard trigger refused the change.
    #[error("refused by {name}")]
    Constraint { name: String, source: sqlx::Error },
    /// A row of a table that only grows is beyond its last partition, or its bound.
    #[error("there is no partition for the row")]
    NoPartition(#[source] sqlx::Error),
    /// A guarded update met another number of rows than it names: the row moved on.
    #[error("expected to change {expected} rows, changed {actual}")]
    RowsAffected { expected: u64, actual: u64 },
    /// A value in the database that the domain does not know.
    #[error("{table}.{column} of {row} holds a value that is not known")]
    Inconsistent {
        table: &'static str,
        column: &'static str,
        row: String,
    },
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        let Some(refused) = source.as_database_error() else {
            return Self::Database(source);
        };
        // A check without a name is that of a partitioned table: which part a row belongs to.
        match (refused.constraint(), refused.is_check_violation()) {
            (None | Some("partition_bound"), true) => Self::NoPartition(source),
            (Some(name), _) => Self::Constraint {
                name: name.to_owned(),
                source,
            },
            (None, false) => Self::Database(source),
        }
    }
}

impl Error {
    /// The named constraint that refused the change, if one did.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint { name, .. } => Some(name),
            _ => None,
        }
    }
}

/// Turns a silent no-op into an error: exactly one row must have changed.
pub fn one_row(done: &sqlx::postgres::PgQueryResult) -> Result<()> {
    match done.rows_affected() {
        1 => Ok(()),
        actual => Err(Error::RowsAffected {
            expected: 1,
            actual,
        }),
    }
}

/// Reads a state or kind that the schema keeps as text.
pub fn parse<T: std::str::FromStr>(
    table: &'static str,
    column: &'static str,
    row: impl std::fmt::Display,
    text: &str,
) -> Result<T> {
    text.parse().map_err(|_| Error::Inconsistent {
        table,
        column,
        row: row.to_string(),
    })
}
