//! Keys whose private halves everybody can have: in 2006 to 2008 Debian's OpenSSL drew its
//! randomness from the process id alone (CVE-2008-0166). They are known by lists in the format of
//! Debian's `openssh-blacklist`: a line holds the last 20 hexadecimal digits of a key's MD5
//! fingerprint, as `ssh-vulnkey` reads it.

use md5::{Digest as _, Md5};

/// The end of a fingerprint that a list holds.
type Tail = u128;

const TAIL_DIGITS: usize = 20;
const TAIL_MASK: Tail = (1 << (4 * TAIL_DIGITS)) - 1;

/// Keys that are not taken, whatever else they are.
#[derive(Debug, Default)]
pub struct WeakKeys(Vec<Tail>);

/// A line, counted from 1, that a list does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is not {TAIL_DIGITS} hexadecimal digits")]
pub struct NotAList(usize);

impl WeakKeys {
    /// Nobody gave a list.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a list. Empty lines, and those that begin with `#`, say nothing.
    pub fn add(&mut self, list: &str) -> Result<(), NotAList> {
        for (index, line) in list.lines().enumerate() {
            let line = line.trim_ascii();
            if !line.is_empty() && !line.starts_with('#') {
                self.0.push(tail(line).ok_or(NotAList(index + 1))?);
            }
        }
        self.0.sort_unstable();
        self.0.dedup();
        Ok(())
    }

    /// How many keys it knows.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `blob` is the key as it is on the wire (RFC 4253, 6.6).
    pub(super) fn contains(&self, blob: &[u8]) -> bool {
        let fingerprint = u128::from_be_bytes(Md5::digest(blob).into());
        self.0.binary_search(&(fingerprint & TAIL_MASK)).is_ok()
    }
}

fn tail(line: &str) -> Option<Tail> {
    // The parser alone would take a sign.
    let digits = line.len() == TAIL_DIGITS && line.bytes().all(|b| b.is_ascii_hexdigit());
    digits.then(|| Tail::from_str_radix(line, 16).ok())?
}
