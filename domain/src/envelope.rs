//! The envelope: how a secret value stands in a column whose name ends in `_enc`.
//!
//! AES-256-GCM-SIV (RFC 8452) under a data key of its own for each value, which a KMS wraps. The
//! data key is split by HKDF-SHA256 (RFC 5869) into the cipher's key and a commitment; associated
//! data is the place, so that a value moved to another row, column, table or organization does not
//! open. The format, with vectors: `doc/architecture/Encryption_Envelope_Spec.md`.
//!
//! Pure: the data key, its wrapping and every random byte are arguments. `platform::sealing` is
//! the one that brings them, and what everybody but its tests uses.
//!
//! Types carry the rule that nothing is stored in clear:
//!
//! - [`Sealed<C>`] was sealed for column `C` in this process. It is the only thing that `db` binds
//!   to that column, and there is no other way to make one;
//! - [`Stored<C>`] is what a row of `C` holds, not yet believed;
//! - [`EncCtx<C>`] says which row.
//!
//! A new column is one line in [`mod@column`], an `envelope` column in a migration (the schema's type
//! of that name refuses anything else), and `db::sealed::bind` in its statement.

pub mod aead;
pub mod column;
mod key;
mod open;
mod split;
mod wire;

use std::fmt;
use std::marker::PhantomData;

pub use self::column::{Binding, Column, EncCtx, Owner, RowKey};
pub use self::key::{DataKey, KeyId, KeyRef, KeyVersion, Provider, Wrapped};
pub use self::open::Refusal;
pub use self::split::hkdf_sha256;

/// The version that is written; readers know no other.
pub const VERSION: u64 = 1;
/// The suite: AES-256-GCM-SIV, HKDF-SHA256, key commitment.
pub const ALGORITHM: &str = "A256GCMSIV-HKDF-CMT";
/// Domain separation of everything that is derived or authenticated.
pub const LABEL: &str = "berth/enc/v1";
/// The longest value that is sealed.
pub const MAX_PLAINTEXT_BYTES: usize = 64 * 1024;
/// The longest wrapped data key.
pub const MAX_EDK_BYTES: usize = 4096;
/// The longest envelope as JSON text.
pub const MAX_TEXT_BYTES: usize = 96 * 1024;

/// An envelope whose form is right. Whether it is authentic, opening it tells.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    wrapped: Wrapped,
    mid: [u8; 16],
    nonce: [u8; 12],
    commitment: [u8; 32],
    /// Ciphertext and its tag of 16 bytes.
    ciphertext: Vec<u8>,
}

impl Envelope {
    /// The key that wrapped the data key.
    pub fn key(&self) -> &KeyRef {
        &self.wrapped.key
    }

    /// The wrapped data key.
    pub fn edk(&self) -> &[u8] {
        &self.wrapped.edk
    }
}

/// Only what may be logged.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key();
        write!(
            f,
            "Envelope {{ v: {VERSION}, alg: {ALGORITHM}, kp: {}, kid: {}, kv: {} }}",
            key.provider, key.id, key.version
        )
    }
}

/// The random bytes of one sealing. Never used twice.
#[derive(Clone, Copy)]
pub struct Fresh {
    pub mid: [u8; 16],
    pub nonce: [u8; 12],
}

/// The value is longer than [`MAX_PLAINTEXT_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value holds at most {MAX_PLAINTEXT_BYTES} bytes")]
pub struct TooLong;

/// A value sealed for one row of column `C`, and what alone can be written there.
///
/// ```compile_fail,E0423
/// use domain::envelope::{Sealed, column::SchedulerRequest};
/// // Neither text nor JSON becomes one, however well formed.
/// let plain: Sealed<SchedulerRequest> = Sealed(serde_json::json!({"partition": "gpu"}));
/// ```
///
/// ```compile_fail,E0277
/// use domain::envelope::{Sealed, column::SchedulerRequest};
/// let plain: Sealed<SchedulerRequest> = serde_json::json!({"v": 1}).into();
/// ```
pub struct Sealed<C> {
    envelope: Envelope,
    column: PhantomData<fn() -> C>,
}

impl<C: Column> Sealed<C> {
    /// Seals a value for the row that `at` names.
    pub fn seal(
        at: &EncCtx<C>,
        key: &DataKey,
        wrapped: Wrapped,
        fresh: Fresh,
        plaintext: &[u8],
    ) -> Result<Self, TooLong> {
        if plaintext.len() > MAX_PLAINTEXT_BYTES {
            return Err(TooLong);
        }
        let split = split::split(key, &fresh.mid);
        let aad = at.payload_aad(&fresh.mid);
        Ok(Self {
            envelope: Envelope {
                wrapped,
                mid: fresh.mid,
                nonce: fresh.nonce,
                commitment: split.commitment,
                ciphertext: aead::seal(&split.cipher_key, &fresh.nonce, &aad, plaintext),
            },
            column: PhantomData,
        })
    }

    /// The canonical object.
    pub fn to_json(&self) -> serde_json::Value {
        self.envelope.to_json()
    }
}

impl<C> fmt::Debug for Sealed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.envelope.fmt(f)
    }
}

/// What a row of column `C` holds: read by `db`, opened by `platform::sealing`.
pub struct Stored<C> {
    value: serde_json::Value,
    column: PhantomData<fn() -> C>,
}

impl<C: Column> Stored<C> {
    /// Takes a column's value as it is.
    pub fn new(value: serde_json::Value) -> Self {
        Self {
            value,
            column: PhantomData,
        }
    }

    /// Reads its form, strictly.
    pub fn envelope(&self) -> Result<Envelope, Refusal> {
        Envelope::from_json(&self.value)
    }
}

impl<C: Column> From<&Sealed<C>> for Stored<C> {
    fn from(sealed: &Sealed<C>) -> Self {
        Self::new(sealed.to_json())
    }
}

impl<C> Clone for Stored<C> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            column: PhantomData,
        }
    }
}

/// Nothing of what it holds: it may be anything.
impl<C> fmt::Debug for Stored<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stored")
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
