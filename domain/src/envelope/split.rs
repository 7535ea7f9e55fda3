//! One data key becomes two: the cipher's key, and a commitment that says which key it was.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{ALGORITHM, DataKey, LABEL};

pub(super) struct Split {
    pub(super) cipher_key: Zeroizing<[u8; 32]>,
    pub(super) commitment: [u8; 32],
}

pub(super) fn split(key: &DataKey, mid: &[u8; 16]) -> Split {
    let info = [LABEL.as_bytes(), ALGORITHM.as_bytes()].concat();
    let mut okm = Zeroizing::new([0; 64]);
    hkdf_sha256(mid, key.expose(), &info, okm.as_mut_slice())
        .unwrap_or_else(|TooMuch| unreachable!("64 bytes are fewer than 255 blocks"));
    let (cipher_key, commitment) = halves(&okm);
    Split {
        cipher_key: Zeroizing::new(*cipher_key),
        commitment: *commitment,
    }
}

fn halves(okm: &[u8; 64]) -> (&[u8; 32], &[u8; 32]) {
    match okm.as_chunks::<32>() {
        ([first, second], []) => (first, second),
        _ => unreachable!("64 is twice 32"),
    }
}

/// More output was asked for than HKDF-SHA256 gives: 8160 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch;

/// HKDF-SHA256, extract and expand (RFC 5869). An empty salt is 32 zero bytes, as there.
pub fn hkdf_sha256(
    salt: &[u8],
    input_key: &[u8],
    info: &[u8],
    output: &mut [u8],
) -> Result<(), TooMuch> {
    Hkdf::<Sha256>::new(Some(salt), input_key)
        .expand(info, output)
        .map_err(|_| TooMuch)
}
