//! What the payment provider signs with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use super::{From, Result, bad};

const SECRET: &str = "BERTH_PAYMENTS_WEBHOOK_SECRET";
/// Standard Webhooks: between 24 and 64 bytes.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// The new one and the one that it takes over from.
const MAX_SECRETS: usize = 2;

pub(super) fn webhook_secrets(from: &From<'_>) -> Result<Vec<SecretString>> {
    let secrets: Vec<&str> = from.items(SECRET).collect();
    if secrets.len() > MAX_SECRETS {
        return Err(bad(SECRET, "more than two secrets"));
    }
    let sound = |secret: &&str| {
        let bytes = secret
            .strip_prefix("whsec_")
            .map(|text| STANDARD.decode(text));
        bytes.is_some_and(|bytes| bytes.is_ok_and(|bytes| BYTES.contains(&bytes.len())))
    };
    if !secrets.iter().all(sound) {
        return Err(bad(SECRET, "not whsec_ and 24 to 64 bytes in base64"));
    }
    Ok(secrets.into_iter().map(SecretString::from).collect())
}
