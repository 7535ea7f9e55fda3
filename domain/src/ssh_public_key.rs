//! Tenants' public SSH keys: what is taken, and how it is written back.
//!
//! What a tenant sends is never copied: it is checked byte by byte before anything parses it
//! (SSH-01), parsed, judged (SSH-02), and then written anew from the key's numbers alone. So no
//! second line, option or comment can reach an `authorized_keys` file.

use ssh_key::public::KeyData;
use ssh_key::{EcdsaCurve, HashAlg};

mod rsa;
#[cfg(test)]
mod tests;
mod weak;

pub use weak::{NotAList, WeakKeys};

/// The longest text that is looked at, in bytes.
pub const MAX_BYTES: usize = 8 * 1024;

/// A public key that may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Such as `ssh-ed25519`.
    pub algorithm: String,
    /// `<algorithm> <base64>`, nothing else.
    pub openssh: String,
    /// `SHA256:<base64>`, as `ssh-keygen -l` prints it.
    pub fingerprint_sha256: String,
    /// What its owner should know, though the key is taken.
    pub warning: Option<Warning>,
}

/// Why a key should be replaced some day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    #[error("an RSA key of {0} bits is weak; make a new one with `ssh-keygen -t ed25519`")]
    ShortRsa(usize),
}

/// Why a text is not taken. No message repeats any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    #[error(
        "this is a private key: it must not be sent to anybody; make a new pair and send the .pub file"
    )]
    Private,
    #[error("a public key has at most {MAX_BYTES} bytes")]
    TooLong,
    #[error("a public key is one line")]
    NotOneLine,
    #[error("a public key has printable ASCII characters only")]
    NotPrintable,
    #[error("this is not a public key in OpenSSH's format: `<algorithm> <base64> [comment]`")]
    Malformed,
    #[error("keys of this type are not taken; make one with `ssh-keygen -t ed25519`")]
    Algorithm,
    #[error(
        "an RSA key of {bits} bits is too weak; {} is the least",
        rsa::MIN_BITS
    )]
    WeakRsa { bits: usize },
    #[error("an RSA key has at most {} bits", rsa::MAX_BITS)]
    LongRsa,
    #[error("an RSA key's public exponent is odd and at least 65537")]
    RsaExponent,
    #[error(
        "this RSA key was made by a chip with the ROCA weakness: its private key can be computed"
    )]
    Roca,
    #[error(
        "this key was made by Debian's broken generator (CVE-2008-0166): its private key can be guessed; make a new one with `ssh-keygen -t ed25519`"
    )]
    Guessable,
}

/// Reads what a tenant sent; `weak` are the keys that must not be taken.
pub fn parse(text: &str, weak: &WeakKeys) -> Result<PublicKey, PublicKeyError> {
    let line = one_clean_line(text)?;
    let algorithm = line.split(' ').next().unwrap_or_default();
    if !ALGORITHMS.contains(&algorithm) {
        // An options field stands where the algorithm should: the same answer, for it is one.
        return Err(if looks_like_a_key_type(algorithm) {
            PublicKeyError::Algorithm
        } else {
            PublicKeyError::Malformed
        });
    }
    let key = ssh_key::PublicKey::from_openssh(line).map_err(|_| PublicKeyError::Malformed)?;
    let warning = judge(key.key_data())?;
    let bare = ssh_key::PublicKey::from(key.key_data().clone());
    let blob = bare.to_bytes().map_err(|_| PublicKeyError::Malformed)?;
    if weak.contains(&blob) {
        return Err(PublicKeyError::Guessable);
    }
    Ok(PublicKey {
        algorithm: bare.algorithm().as_str().to_owned(),
        openssh: bare.to_openssh().map_err(|_| PublicKeyError::Malformed)?,
        fingerprint_sha256: bare.fingerprint(HashAlg::Sha256).to_string(),
        warning,
    })
}

const ALGORITHMS: &[&str] = &[
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
];

fn one_clean_line(text: &str) -> Result<&str, PublicKeyError> {
    if text.contains("PRIVATE KEY")
        || text.contains("PuTTY-User-Key-File")
        || text.contains(OPENSSH_PRIVATE_BASE64)
    {
        return Err(PublicKeyError::Private);
    }
    if text.len() > MAX_BYTES {
        return Err(PublicKeyError::TooLong);
    }
    // The end of line that every .pub file has is not a second line.
    let line = text.strip_suffix('\n').unwrap_or(text);
    if line.contains(['\n', '\r']) {
        return Err(PublicKeyError::NotOneLine);
    }
    if !line.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Err(PublicKeyError::NotPrintable);
    }
    Ok(line)
}

/// `openssh-key-v1` in base64: how the body of a private key begins, its frame left out.
const OPENSSH_PRIVATE_BASE64: &str = "b3BlbnNzaC1rZXktdjE";

fn looks_like_a_key_type(word: &str) -> bool {
    ["ssh-", "sk-", "ecdsa-", "rsa-", "webauthn-"]
        .iter()
        .any(|start| word.starts_with(start))
        && !word.contains(['"', ',', '='])
}

fn judge(key: &KeyData) -> Result<Option<Warning>, PublicKeyError> {
    match key {
        KeyData::Rsa(key) => rsa::judge(key),
        KeyData::Ed25519(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => Ok(None),
        KeyData::Ecdsa(key) => match key.curve() {
            EcdsaCurve::NistP256 | EcdsaCurve::NistP384 | EcdsaCurve::NistP521 => Ok(None),
        },
        KeyData::Dsa(_) | KeyData::Other(_) | _ => Err(PublicKeyError::Algorithm),
    }
}
