//! AES-256-GCM-SIV (RFC 8452), the one place that names the cipher's crate.

use aes_gcm_siv::aead::consts::{U12, U16};
use aes_gcm_siv::aead::{AeadInOut, KeyInit as _};
use aes_gcm_siv::{Aes256GcmSiv, Tag};
use zeroize::Zeroizing;

pub const KEY_BYTES: usize = 32;
pub const NONCE_BYTES: usize = 12;
pub const TAG_BYTES: usize = 16;

/// Ciphertext and tag. The caller keeps `plaintext` and `aad` far below the cipher's limit of
/// 2^36 bytes.
pub fn seal(
    key: &[u8; KEY_BYTES],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    plaintext: &[u8],
) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(plaintext.len() + TAG_BYTES);
    buffer.extend_from_slice(plaintext);
    let tag = Aes256GcmSiv::new(key.into())
        .encrypt_inout_detached(nonce.into(), aad, buffer.as_mut_slice().into())
        .unwrap_or_else(|_| unreachable!("no value of ours comes near 2^36 bytes"));
    buffer.extend_from_slice(&tag);
    buffer
}

/// The plaintext, or nothing at all.
pub fn open(
    key: &[u8; KEY_BYTES],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    open_by(&Aes256GcmSiv::new(key.into()), nonce, aad, sealed)
}

/// The same with the short key that no envelope has; half of the published vectors are of it.
#[cfg(test)]
pub(super) fn open_128(
    key: &[u8; 16],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    open_by(
        &aes_gcm_siv::Aes128GcmSiv::new(key.into()),
        nonce,
        aad,
        sealed,
    )
}

fn open_by(
    cipher: &impl AeadInOut<NonceSize = U12, TagSize = U16>,
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (ciphertext, tag) = sealed.split_last_chunk::<TAG_BYTES>()?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    cipher
        .decrypt_inout_detached(
            nonce.into(),
            aad,
            buffer.as_mut_slice().into(),
            &Tag::from(*tag),
        )
        .ok()?;
    Some(buffer)
}
