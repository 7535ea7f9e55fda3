//! Which RSA keys are taken. Sizes after NIST SP 800-57 (3072 bits match the other algorithms'
//! strength); the ROCA test after Nemec et al., "The Return of Coppersmith's Attack", 2017.

use ssh_key::Mpint;
use ssh_key::public::RsaPublicKey;

use super::{PublicKeyError, Warning};

pub(super) const MIN_BITS: usize = 2048;
pub(super) const MAX_BITS: usize = 16_384;
/// Length of 65537; an odd number of this length is not less.
const EXPONENT_BITS: usize = 17;
/// Below this, a warning.
const GOOD_BITS: usize = 3072;

pub(super) fn judge(key: &RsaPublicKey) -> Result<Option<Warning>, PublicKeyError> {
    let modulus = positive(&key.n)?;
    let exponent = positive(&key.e)?;
    let bits = bit_length(modulus);
    if bits < MIN_BITS {
        return Err(PublicKeyError::WeakRsa { bits });
    }
    if bits > MAX_BITS {
        return Err(PublicKeyError::LongRsa);
    }
    if modulus.last().is_none_or(|byte| byte % 2 == 0) {
        return Err(PublicKeyError::Malformed);
    }
    let odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
    if !odd || bit_length(exponent) < EXPONENT_BITS {
        return Err(PublicKeyError::RsaExponent);
    }
    if has_roca_shape(modulus) {
        return Err(PublicKeyError::Roca);
    }
    Ok((bits < GOOD_BITS).then_some(Warning::ShortRsa(bits)))
}

fn positive(number: &Mpint) -> Result<&[u8], PublicKeyError> {
    number
        .as_positive_bytes()
        .filter(|bytes| !bytes.is_empty())
        .ok_or(PublicKeyError::Malformed)
}

/// `bytes` is big-endian without leading zeros.
fn bit_length(bytes: &[u8]) -> usize {
    let unused = bytes.first().map_or(0, |byte| byte.leading_zeros());
    (bytes.len() * 8).saturating_sub(unused as usize)
}

/// The weak library made primes whose remainders, by every small prime, are powers of 65537; so
/// are then the remainders of their product. For a sound key that holds by chance in fewer than
/// one of 10^8.
fn has_roca_shape(modulus: &[u8]) -> bool {
    SMALL_PRIMES.iter().all(|prime| {
        let remainder = modulus
            .iter()
            .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        is_power_of_65537(remainder, *prime)
    })
}

fn is_power_of_65537(remainder: u32, prime: u32) -> bool {
    let mut power = 1;
    loop {
        if power == remainder {
            return true;
        }
        power = power * (65_537 % prime) % prime;
        if power == 1 {
            return false;
        }
    }
}

/// Every prime from 3 to 167: those that the library's construction goes through for any size of
/// key.
const SMALL_PRIMES: &[u32] = &[
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];
