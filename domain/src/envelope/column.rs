//! Every sealed column by name, and the place of one value.

use std::fmt;
use std::marker::PhantomData;

use super::{ALGORITHM, KeyId, LABEL, wire};
use crate::id::{AllocationId, OrgId};
use crate::signing_key::Kid;

/// A column that holds envelopes.
pub trait Column: Send + Sync + 'static {
    /// What names a row.
    type Row: RowKey + ?Sized;
    const TABLE: &'static str;
    const COLUMN: &'static str;
}

/// A short text that names a row for as long as the value stays sealed; 64 bytes at most.
pub trait RowKey: fmt::Display {}

impl RowKey for AllocationId {}
impl RowKey for KeyId {}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident = $table:literal $column:literal of $row:ty;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $name {}

            impl Column for $name {
                type Row = $row;
                const TABLE: &'static str = $table;
                const COLUMN: &'static str = $column;
            }
        )+

        /// Table and column of each, for the guard that compares them with the schema.
        pub const ALL: &[(&str, &str)] = &[$(($table, $column)),+];
    };
}

columns! {
    /// What a tenant told its scheduler: a member of a JSON column.
    SchedulerRequest = "allocations" "scheduler_metadata.scheduler_request_enc" of AllocationId;
    /// The 32-byte seed of an Ed25519 key that Berth signs with.
    SigningPrivateKey = "signing_keys" "private_key_enc" of Kid;
}

/// Whose value it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Organization(OrgId),
    /// Berth's own, such as its signing keys.
    Platform,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization(id) => id.fmt(f),
            Self::Platform => f.write_str("platform"),
        }
    }
}

/// The place of one value: organization, table, column, row.
pub struct EncCtx<C> {
    owner: String,
    row: String,
    column: PhantomData<fn() -> C>,
}

impl<C: Column> EncCtx<C> {
    pub fn new(owner: Owner, row: &C::Row) -> Self {
        Self {
            owner: owner.to_string(),
            row: row.to_string(),
            column: PhantomData,
        }
    }

    /// What the wrapped data key is bound to.
    pub fn binding(&self) -> Binding {
        Binding(parts(&[
            "berth",
            &self.owner,
            C::TABLE,
            C::COLUMN,
            &self.row,
        ]))
    }

    /// The associated data of the value itself.
    pub(super) fn payload_aad(&self, mid: &[u8; 16]) -> Vec<u8> {
        parts(&[
            LABEL,
            ALGORITHM,
            &wire::encode(mid),
            &self.owner,
            C::TABLE,
            C::COLUMN,
            &self.row,
        ])
    }
}

impl<C> fmt::Debug for EncCtx<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.row)
    }
}

/// What a wrapped data key is bound to: associated data of the local provider, `context` of
/// Transit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Binding(Vec<u8>);

impl Binding {
    /// A binding that is not a row's: each text with its length before it.
    pub fn of(texts: &[&str]) -> Self {
        Self(parts(texts))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Each text with its length before it (16 bits, big-endian), so that no two lists are alike.
fn parts(texts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(texts.iter().map(|text| text.len() + 2).sum());
    for text in texts {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "constants, ids and names of at most 64 bytes"
        )]
        let length = text.len() as u16;
        debug_assert_eq!(usize::from(length), text.len());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}
