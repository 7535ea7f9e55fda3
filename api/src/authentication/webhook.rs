//! Signed messages of the payment provider, as Standard Webhooks has them: HMAC-SHA-256 over
//! `id.timestamp.body`, the body as it came.

use axum::http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use standardwebhooks::{HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use super::Refusal;
use crate::problem::Problem;

/// Digits of a time that the library can subtract from.
const MOST_DIGITS: usize = 12;

/// Whether one of the secrets that are good now signed it, within the last five minutes.
pub(crate) fn verify(
    secrets: &[SecretString],
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Problem> {
    if !headers.contains_key(HEADER_WEBHOOK_SIGNATURE) {
        return Err(Refusal::Missing.into());
    }
    let at = headers.get(HEADER_WEBHOOK_TIMESTAMP);
    let plain = at
        .is_some_and(|at| at.len() <= MOST_DIGITS && at.as_bytes().iter().all(u8::is_ascii_digit));
    let good = plain
        && secrets.iter().any(|secret| {
            let webhook = Webhook::new(secret.expose_secret());
            webhook.is_ok_and(|webhook| webhook.verify(body, headers).is_ok())
        });
    good.then_some(()).ok_or_else(|| Refusal::Webhook.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `whsec_` and 24 bytes.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn signed(secret: &str, at: i64, body: &[u8]) -> HeaderMap {
        let signature = Webhook::new(secret)
            .and_then(|webhook| webhook.sign("msg_1", at, body))
            .expect("a signature");
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "msg_1".parse().expect("a header"));
        headers.insert("webhook-timestamp", at.into());
        headers.insert("webhook-signature", signature.parse().expect("a header"));
        headers
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the library compares with this clock"
    )]
    fn now() -> i64 {
        time::OffsetDateTime::now_utc().unix_timestamp()
    }

    #[test]
    fn only_a_fresh_signature_over_this_body_is_taken() {
        let (body, other) = (b"{}".as_slice(), "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        let both = [SECRET, other].map(SecretString::from);
        for secret in [SECRET, other] {
            assert!(verify(&both, &signed(secret, now(), body), body).is_ok());
        }
        assert!(verify(&both[1..], &signed(SECRET, now(), body), body).is_err());
        assert!(verify(&both, &signed(SECRET, now(), body), b"{ }").is_err());
        for at in [now() - 301, now() + 310, 0] {
            assert!(
                verify(&both, &signed(SECRET, at, body), body).is_err(),
                "{at}"
            );
        }
        for (name, value) in [
            ("webhook-timestamp", "-9223372036854775808"),
            ("webhook-timestamp", ""),
            ("webhook-id", "msg_2"),
            ("webhook-signature", ""),
            ("webhook-signature", "v1,"),
        ] {
            let mut headers = signed(SECRET, now(), body);
            headers.insert(name, value.parse().expect("a header"));
            assert!(verify(&both, &headers, body).is_err(), "{name}: {value}");
            headers.remove(name);
            assert!(verify(&both, &headers, body).is_err(), "no {name}");
        }
    }
}
