//! What a token says, and whether that suffices (RFC 9068, section 4).

use serde_json::{Map, Value};

use super::compact::text;
use super::{Algorithm, Compact, Reject, json};

/// How far clocks may be apart.
const LEEWAY_SECONDS: i64 = 30;
/// The longest life of an access token.
const MAX_LIFETIME_SECONDS: i64 = 3600;
const MAX_TEXT_BYTES: usize = 255;

/// What is expected of one issuer's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The exact text of `iss`.
    pub issuer: String,
    /// One of `aud` must be this.
    pub audience: String,
    pub token_type: TokenType,
    pub algorithms: Vec<Algorithm>,
    /// Clients whose tokens are taken; empty: whichever the issuer gives one.
    pub clients: Vec<String>,
}

/// What a token is for. One kind is never taken for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// Opens the API, for an hour at most: `typ` is `at+jwt` (RFC 9068, section 2.1).
    Access,
    /// Tells a client once who logged in: `typ` is `JWT` or absent (OpenID Connect Core, section 2).
    Id,
}

impl TokenType {
    fn is_said_by(self, header: Option<&str>) -> bool {
        match (self, header.map(strip_application)) {
            (Self::Access, Some(kind)) => kind.eq_ignore_ascii_case("at+jwt"),
            (Self::Id, Some(kind)) => kind.eq_ignore_ascii_case("JWT"),
            (Self::Access, None) => false,
            (Self::Id, None) => true,
        }
    }
}

/// The claims of a token whose signature nobody has looked at yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    members: Map<String, Value>,
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub subject: String,
    /// Seconds since 1970.
    pub issued_at: i64,
    pub expires_at: i64,
    pub key_id: String,
    pub token_id: Option<String>,
    pub session_id: Option<String>,
}

/// What was revoked, as far as it concerns one token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Denials {
    pub key: bool,
    pub token: bool,
    pub session: bool,
    /// Whatever was issued before this second is void: the issuer's bound or the person's, the
    /// later of the two.
    pub not_before: Option<i64>,
}

impl Statement {
    /// Reads the claims of a token of this issuer. They are not to be believed yet.
    pub fn read(token: &Compact<'_>, rules: &Rules) -> Result<Self, Reject> {
        if !rules
            .token_type
            .is_said_by(token.header.token_type.as_deref())
        {
            return Err(Reject::Type);
        }
        let members = json::object(&token.payload).ok_or(Reject::ClaimsJson)?;
        if members.get("iss").and_then(Value::as_str) != Some(&rules.issuer) {
            return Err(Reject::Issuer);
        }
        Ok(Self { members })
    }

    /// The texts that deny-lists and look-ups need before the clock is known.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| is_plain(text))
    }

    /// Checks everything that is left, for a token whose signature holds. `now`: seconds since 1970.
    pub fn check(mut self, key_id: &str, rules: &Rules, now: i64) -> Result<Claims, Reject> {
        if !self.is_meant_for(&rules.audience) {
            return Err(Reject::Audience);
        }
        let expires_at = self.seconds("exp")?.ok_or(Reject::Times)?;
        let issued_at = self.seconds("iat")?.ok_or(Reject::Times)?;
        let not_before = self.seconds("nbf")?.unwrap_or(issued_at);
        if expires_at <= now {
            return Err(Reject::Expired);
        }
        if issued_at.max(not_before) > now + LEEWAY_SECONDS {
            return Err(Reject::NotYet);
        }
        match rules.token_type {
            TokenType::Access if expires_at - issued_at > MAX_LIFETIME_SECONDS => {
                return Err(Reject::Lifetime);
            }
            TokenType::Id if !self.is_for_its_client(&rules.audience) => {
                return Err(Reject::Client);
            }
            TokenType::Access | TokenType::Id => {}
        }
        let subject = self.own_text("sub", Reject::Subject)?;
        let subject = subject.ok_or(Reject::Subject)?;
        self.check_client(&rules.clients)?;
        Ok(Claims {
            subject,
            issued_at,
            expires_at,
            key_id: key_id.to_owned(),
            token_id: self.own_text("jti", Reject::ClaimsJson)?,
            session_id: self.own_text("sid", Reject::ClaimsJson)?,
        })
    }

    fn is_meant_for(&self, audience: &str) -> bool {
        match self.members.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one == audience),
            _ => false,
        }
    }

    /// The client that an ID token was made for, where it says so and where it must: with several
    /// audiences (OpenID Connect Core, section 3.1.3.7).
    fn is_for_its_client(&self, client: &str) -> bool {
        let several = matches!(self.members.get("aud"), Some(Value::Array(all)) if all.len() > 1);
        match self.members.get("azp") {
            Some(party) => party == client,
            None => !several,
        }
    }

    /// A whole number of seconds since 1970, not negative and not beyond what JSON keeps exact.
    fn seconds(&self, name: &str) -> Result<Option<i64>, Reject> {
        let Some(value) = self.members.get(name) else {
            return Ok(None);
        };
        let seconds = value.as_i64().filter(|n| (0..1 << 53).contains(n));
        seconds.map(Some).ok_or(Reject::Times)
    }

    fn own_text(&mut self, name: &str, otherwise: Reject) -> Result<Option<String>, Reject> {
        let text = text(&mut self.members, name).map_err(|()| otherwise)?;
        match text {
            Some(text) if !is_plain(&text) => Err(otherwise),
            text => Ok(text),
        }
    }

    /// Both names of the client, where a token has both, must be allowed.
    fn check_client(&mut self, allowed: &[String]) -> Result<(), Reject> {
        let named = [
            self.own_text("azp", Reject::Client)?,
            self.own_text("client_id", Reject::Client)?,
        ];
        let mut named = named.iter().flatten().peekable();
        if allowed.is_empty() {
            return Ok(());
        }
        let known = named.peek().is_some() && named.all(|client| allowed.contains(client));
        if known { Ok(()) } else { Err(Reject::Client) }
    }
}

impl Claims {
    /// Refuses what was revoked.
    pub fn denied(&self, denials: Denials) -> Result<(), Reject> {
        let void = denials
            .not_before
            .is_some_and(|bound| self.issued_at < bound);
        [
            (denials.key, Reject::RevokedKey),
            (denials.token, Reject::RevokedToken),
            (denials.session, Reject::RevokedSession),
            (void, Reject::IssuedBefore),
        ]
        .into_iter()
        .find_map(|(applies, reject)| applies.then_some(reject))
        .map_or(Ok(()), Err)
    }
}

/// `application/at+jwt` is `at+jwt` (RFC 7515, section 4.1.9).
fn strip_application(kind: &str) -> &str {
    match kind.split_once('/') {
        Some((application, rest)) if application.eq_ignore_ascii_case("application") => rest,
        _ => kind,
    }
}

/// Something to look up in the database, and nothing to confuse it.
fn is_plain(text: &str) -> bool {
    (1..=MAX_TEXT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}
