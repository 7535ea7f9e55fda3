//! RSA keys of one maker's chips can be factored (CVE-2017-15361, "ROCA"). Their moduli are powers
//! of 65537 modulo every small prime; of sound keys hardly one in 2^150 is (Nemec et al., CCS 2017).

const GENERATOR: u32 = 65_537;
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether a modulus (big-endian) has the mark of those keys.
pub(super) fn is_weak(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| {
        let rest = modulus
            .iter()
            .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        is_power(rest, *prime)
    })
}

fn is_power(value: u32, prime: u32) -> bool {
    let step = GENERATOR % prime;
    let mut power = 1;
    loop {
        if power == value {
            return true;
        }
        power = power * step % prime;
        if power == 1 {
            return false;
        }
    }
}
