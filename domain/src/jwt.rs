//! Bearer tokens that an OpenID provider signed (RFC 7519, RFC 9068), read strictly: what does not
//! have the one form that we expect is refused, and each refusal has its own name (JWT-01).
//!
//! The steps, in this order: [`Compact::parse`] (size, segments, base64url, header), the claims'
//! JSON and the issuer ([`Statement`]), [`Compact::key`] (algorithm and key), the signature (in
//! `platform::oidc`, which has the primitives), [`Statement::check`] (audience, times, subject,
//! client) and [`Claims::denied`] (what was revoked). The clock is an argument. The header's
//! algorithm is only ever compared with what the key is for: it chooses nothing.

mod claims;
mod compact;
mod json;
mod key;
mod roca;
#[cfg(test)]
mod tests;

use strum::{IntoStaticStr, VariantArray};

pub use self::claims::{Claims, Denials, Rules, Statement, TokenType};
pub use self::compact::{Compact, Header, MAX_TOKEN_BYTES};
pub use self::key::{Algorithm, Key, KeySet, KeySetError, Material};

/// Why a token opens nothing; the `reason` of `jwt_reject_total`. A caller learns none of it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray, thiserror::Error,
)]
#[strum(serialize_all = "snake_case")]
#[error("the token is not acceptable: {}", self.as_str())]
pub enum Reject {
    /// More than 8 KiB.
    TooLarge,
    /// Not three of them.
    Segments,
    /// Padding, blanks, another alphabet or stray bits in one of the three.
    Base64,
    /// The header is no JSON object, or says something twice.
    HeaderJson,
    /// The header brings its own key, or wants to be read in another way.
    HeaderMember,
    /// Another `typ` than access tokens have.
    Type,
    /// The claims are no JSON object, or say something twice.
    ClaimsJson,
    /// Somebody else's token.
    Issuer,
    /// Not one of the issuer's algorithms, or not the one that the key is for.
    Algorithm,
    /// No `kid`, or one that could be none.
    KeyId,
    /// The issuer has no such key.
    UnknownKey,
    /// The issuer's keys could not be had for too long.
    KeysUnavailable,
    Signature,
    /// Meant for somebody else.
    Audience,
    /// `exp` or `iat` is missing or no number of seconds.
    Times,
    Expired,
    /// `nbf` or `iat` lies ahead.
    NotYet,
    /// It lives longer than access tokens may.
    Lifetime,
    Subject,
    /// Given to a client that may not act here.
    Client,
    RevokedKey,
    RevokedToken,
    RevokedSession,
    /// Given before everything was declared void.
    IssuedBefore,
}

impl Reject {
    /// The label's value.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
