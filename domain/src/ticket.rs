//! The single-use ticket: a text that opens one WebSocket once, within a minute.
//!
//! `tt_<random>.<expiry>.<kid>.<signature>`: 32 random bytes, the Unix second at which it ends, the
//! terminal signer's key, its Ed25519 signature over [`LABEL`] and everything before; binary parts
//! in base64url. The signature tells a made-up ticket from one of ours before anything is looked
//! up. What a ticket opens is not in it: that is kept under its SHA-256 until somebody takes it.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::id::{AllocationId, OrgId, UserId};
use crate::signing_key::Kid;

/// Domain separation of what the terminal signer signs.
pub const LABEL: &str = "berth/ticket/v1\n";
/// How long a ticket lives.
pub const LIFETIME_SECONDS: u64 = 60;
/// No ticket is longer.
pub const MAX_TEXT_BYTES: usize = 256;

const PREFIX: &str = "tt_";

/// What a ticket opens, for whom and from where. Ids only: nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    pub user_id: UserId,
    pub org_id: OrgId,
    pub allocation_id: AllocationId,
    /// The web origin that may use it, as browsers send it (RFC 6454).
    pub origin: String,
    /// The id of the browser session that it was minted in; none for one minted with an API key.
    pub browser_session: Option<String>,
    pub purpose: TicketPurpose,
}

/// What kind of thing a ticket opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketPurpose {
    /// A new terminal on an allocation's machine.
    Terminal,
    /// A terminal that lost its connection, again.
    TerminalResume,
}

/// What whoever shows a ticket is known to want, from the request that carries it.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    pub allocation_id: AllocationId,
    pub origin: &'a str,
    pub browser_session: Option<&'a str>,
    pub purpose: TicketPurpose,
}

impl Binding {
    /// Whether the ticket was minted for this request. Byte for byte: origins are not interpreted.
    pub fn is_for(&self, presented: &Presented<'_>) -> bool {
        self.allocation_id == presented.allocation_id
            && self.origin == presented.origin
            && self.browser_session.as_deref() == presented.browser_session
            && self.purpose == presented.purpose
    }
}

/// A ticket that waits for its signature.
pub struct Unsigned(Zeroizing<String>);

impl Unsigned {
    /// `expires_at`: Unix seconds.
    pub fn new(random: &[u8; 32], expires_at: u64, kid: &Kid) -> Self {
        let random = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(random));
        Self(Zeroizing::new(format!(
            "{PREFIX}{}.{expires_at}.{kid}",
            *random
        )))
    }

    /// The bytes that the key signs.
    pub fn input(&self) -> Zeroizing<Vec<u8>> {
        input(&self.0)
    }

    pub fn signed(self, signature: &[u8; 64]) -> SecretString {
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        SecretString::from(format!("{}.{signature}", *self.0))
    }
}

/// A text with the form of a ticket. Whether it is one of ours, its signature tells.
pub struct Ticket {
    text: SecretString,
    /// The length of what is signed.
    signed_bytes: usize,
    pub expires_at: u64,
    pub kid: Kid,
    pub signature: [u8; 64],
}

impl Ticket {
    /// Strict: of all texts that mean the same, one is a ticket.
    pub fn parse(text: &str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let mut parts = signed.strip_prefix(PREFIX)?.splitn(3, '.');
        let (random, expiry, kid) = (parts.next()?, parts.next()?, parts.next()?);
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let random = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(random).ok()?);
        let expires_at: u64 = expiry.parse().ok()?;
        if random.len() != 32 || expires_at.to_string() != expiry {
            return None;
        }
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Self {
            text: text.into(),
            signed_bytes: signed.len(),
            expires_at,
            kid: kid.parse().ok()?,
            signature: signature.try_into().ok()?,
        })
    }

    /// The bytes that the key must have signed.
    pub fn input(&self) -> Zeroizing<Vec<u8>> {
        input(&self.text.expose_secret()[..self.signed_bytes])
    }

    /// What is stored instead of the ticket. A plain hash suffices: there are 256 bits to guess.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.text.expose_secret()).into()
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket {{ kid: {} }}", self.kid)
    }
}

fn input(signed: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([LABEL.as_bytes(), signed.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::signing_key::PublicKey;

    fn text() -> (Vec<u8>, String) {
        let kid = PublicKey::from_bytes([7; 32]).kid();
        let unsigned = Unsigned::new(&[1; 32], 1_900_000_000, &kid);
        let input = unsigned.input().to_vec();
        (input, unsigned.signed(&[2; 64]).expose_secret().to_owned())
    }

    #[test]
    fn trm_01_a_ticket_is_its_random_bytes_signed() {
        let (input, text) = text();
        let ticket = Ticket::parse(&text).unwrap();
        assert!(text.starts_with("tt_AQEBAQ"), "{text}");
        assert!(text.len() <= MAX_TEXT_BYTES);
        assert_eq!(*ticket.input(), input);
        assert_eq!(ticket.expires_at, 1_900_000_000);
        assert_eq!(ticket.signature, [2; 64]);
        let hash: [u8; 32] = Sha256::digest(&text).into();
        assert_eq!(ticket.sha256(), hash);
        assert!(!format!("{ticket:?}").contains("AQEBAQ"));
        // A token of RFC 9110: it can stand in Sec-WebSocket-Protocol.
        let token = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        assert!(text.bytes().all(token), "{text}");
    }

    #[test]
    fn only_one_spelling_is_a_ticket() {
        let (_, text) = text();
        let part = |at: usize, new: &str| {
            let mut parts: Vec<_> = text.split('.').collect();
            parts[at] = new;
            parts.join(".")
        };
        let longer = format!("{}A", text.split('.').nth(2).unwrap());
        for bad in [
            String::new(),
            "tt_".to_owned(),
            text.replace("tt_", "TT_"),
            format!("{text}="),
            format!(" {text}"),
            format!("{text}.x"),
            part(0, "tt_AAAA"),
            part(1, "01900000000"),
            part(1, "+1900000000"),
            part(1, "-1"),
            part(1, ""),
            part(1, "99999999999999999999999"),
            part(2, &longer),
            part(3, "AAAA"),
        ] {
            assert!(Ticket::parse(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_binding_is_for_one_request() {
        let binding = Binding {
            user_id: UserId::from_uuid(Uuid::from_u128(1)),
            org_id: OrgId::from_uuid(Uuid::from_u128(2)),
            allocation_id: AllocationId::from_uuid(Uuid::from_u128(3)),
            origin: "https://console.example".to_owned(),
            browser_session: Some("s1".to_owned()),
            purpose: TicketPurpose::Terminal,
        };
        let sound = Presented {
            allocation_id: binding.allocation_id,
            origin: "https://console.example",
            browser_session: Some("s1"),
            purpose: TicketPurpose::Terminal,
        };
        assert!(binding.is_for(&sound));
        let other = AllocationId::from_uuid(Uuid::from_u128(4));
        for wrong in [
            Presented {
                allocation_id: other,
                ..sound
            },
            Presented {
                origin: "https://console.example.",
                ..sound
            },
            Presented {
                origin: "HTTPS://console.example",
                ..sound
            },
            Presented {
                origin: "",
                ..sound
            },
            Presented {
                browser_session: None,
                ..sound
            },
            Presented {
                browser_session: Some("s2"),
                ..sound
            },
            Presented {
                purpose: TicketPurpose::TerminalResume,
                ..sound
            },
        ] {
            assert!(!binding.is_for(&wrong), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in any::<String>()) {
            prop_assert!(Ticket::parse(&text).is_none());
        }

        #[test]
        fn a_changed_ticket_signs_something_else(at in any::<prop::sample::Index>(), by in 1_u8..) {
            let (input, text) = text();
            let mut changed = text.into_bytes();
            let at = at.index(changed.len());
            changed[at] = changed[at].wrapping_add(by);
            let ticket = std::str::from_utf8(&changed).ok().and_then(Ticket::parse);
            if let Some(ticket) = ticket {
                prop_assert!(*ticket.input() != input || ticket.signature != [2; 64]);
            }
        }
    }
}
