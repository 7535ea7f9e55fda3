//! Sessions of browsers: the one secret of each, and the login that leads to it.
//!
//! A login is the code flow of OpenID Connect with PKCE (RFC 6749, RFC 7636). Everything that it
//! must remember is in one cookie of the browser that began it; `state`, `nonce` and the verifier
//! are derived from that cookie's secret and from what else it says, so that none of it can be
//! changed, and the server keeps nothing for logins that nobody finishes.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::Url;
use zeroize::Zeroizing;

use crate::id::OrgId;

/// How long a login may take.
pub const LOGIN_LIFETIME_SECONDS: i64 = 600;
const MAX_PATH_BYTES: usize = 1024;

/// What opens a session: 256 random bits. Never stored: a session is found by its SHA-256.
pub struct SessionSecret(Zeroizing<[u8; 32]>);

impl SessionSecret {
    pub fn new(random: [u8; 32]) -> Self {
        Self(Zeroizing::new(random))
    }

    /// Of all texts that mean the same, one is a secret.
    pub fn parse(text: &str) -> Option<Self> {
        bytes(text).map(Self)
    }

    /// The value of the cookie: 43 characters of base64url.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*self.0))
    }

    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(*self.0).into()
    }
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret(..)")
    }
}

/// A place on this server to go to: begins with one slash, and no browser reads anything but a
/// path into it (WEB-05).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPath(String);

impl LocalPath {
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.len() <= MAX_PATH_BYTES
            && text.starts_with('/')
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && !text.contains('\\');
        // What the standard's own parser makes of it must be the same text on the same host.
        let url = Url::parse("https://berth.invalid").ok()?.join(text).ok()?;
        let read = &url[url::Position::BeforePath..];
        let stays = url.host_str() == Some("berth.invalid") && read == text;
        (plain && stays).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A login under way.
pub struct Login {
    secret: Zeroizing<[u8; 32]>,
    /// Unix seconds.
    started_at: i64,
    /// Which organization the session will act in; none: the person's only one.
    pub organization: Option<OrgId>,
    /// SHA-256 of the session that the browser had when it began; it ends with the login.
    pub replaces: Option<[u8; 32]>,
    pub return_to: LocalPath,
}

impl Login {
    pub fn new(
        random: [u8; 32],
        started_at: i64,
        organization: Option<OrgId>,
        replaces: Option<[u8; 32]>,
        return_to: LocalPath,
    ) -> Self {
        Self {
            secret: Zeroizing::new(random),
            started_at,
            organization,
            replaces,
            return_to,
        }
    }

    /// The value of the cookie: `<secret>.<start>.<organization>.<session>.<path>`.
    pub fn cookie(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*self.secret));
        Zeroizing::new(format!("{}.{}", *secret, self.rest()))
    }

    pub fn parse(cookie: &str) -> Option<Self> {
        let mut parts = cookie.splitn(5, '.');
        let secret = bytes(parts.next()?)?;
        let started_at = parts.next()?.parse().ok()?;
        let organization = match parts.next()? {
            "" => None,
            id => Some(id.parse().ok()?),
        };
        let replaces = match parts.next()? {
            "" => None,
            hash => Some(*bytes(hash)?),
        };
        let path = BASE64_URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        Some(Self {
            secret,
            started_at,
            organization,
            replaces,
            return_to: LocalPath::parse(std::str::from_utf8(&path).ok()?)?,
        })
    }

    /// Binds the provider's answer to this browser.
    pub fn state(&self) -> String {
        self.derived("state")
    }

    /// Binds the ID token to this login.
    pub fn nonce(&self) -> String {
        self.derived("nonce")
    }

    /// The secret that the code is bound to (RFC 7636, section 4.1).
    pub fn verifier(&self) -> String {
        self.derived("verifier")
    }

    /// Whether an answer with this `state` belongs to it, now.
    pub fn is_answered_by(&self, state: &str, now: i64) -> bool {
        let fresh = (0..=LOGIN_LIFETIME_SECONDS).contains(&now.saturating_sub(self.started_at));
        fresh && bool::from(self.state().as_bytes().ct_eq(state.as_bytes()))
    }

    fn rest(&self) -> String {
        let organization = self.organization.map(|id| id.to_string());
        let replaces = self
            .replaces
            .map(|hash| BASE64_URL_SAFE_NO_PAD.encode(hash));
        let path = BASE64_URL_SAFE_NO_PAD.encode(self.return_to.as_str());
        format!(
            "{}.{}.{}.{path}",
            self.started_at,
            organization.unwrap_or_default(),
            replaces.unwrap_or_default(),
        )
    }

    fn derived(&self, label: &str) -> String {
        let hkdf = Hkdf::<Sha256>::new(Some(b"berth/login/v1"), &*self.secret);
        let (mut out, info) = ([0; 32], format!("{label}\n{}", self.rest()));
        // 32 bytes are never too many for HKDF with SHA-256.
        let done = hkdf.expand(info.as_bytes(), &mut out);
        debug_assert!(done.is_ok());
        BASE64_URL_SAFE_NO_PAD.encode(out)
    }
}

fn bytes(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?);
    bytes.as_slice().try_into().map(Zeroizing::new).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> LocalPath {
        LocalPath::parse(text).expect("a local path")
    }

    fn login() -> Login {
        let org = uuid::Uuid::from_u128(7).into();
        Login::new(
            [7; 32],
            1_000,
            Some(org),
            Some([9; 32]),
            path("/api/v1/me?a=b#c"),
        )
    }

    #[test]
    fn web_05_only_a_path_on_this_server_is_a_place_to_return_to() {
        for good in [
            "/",
            "/a",
            "/a/b?c=//d",
            "/@evil",
            "/a#b",
            "/%2F%2Fevil.example",
        ] {
            assert!(LocalPath::parse(good).is_some(), "{good}");
        }
        let corpus = [
            "",
            "a",
            "//evil.example",
            "///evil.example",
            "////evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r/evil.example",
            "\t//evil.example",
            " //evil.example",
            "/ /evil.example",
            "https://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "http:evil",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "//evil.example\\@berth.invalid",
            "//berth.invalid@evil.example",
            "//evil.example:80",
            "//[::1]",
            "//0x7f.1",
            "//%65vil.example",
            "/\\/evil.example",
            "/\\\\evil.example",
            "/\u{0}/evil",
            "/\u{7f}",
            "/\u{a0}/evil",
            "/\u{2028}x",
            "/ä",
            "?//evil.example",
            "#//evil.example",
            ".//evil.example",
            "..//evil.example",
            "/..//evil.example",
            "/.//evil.example",
            "/a/..//evil.example",
            "/a/../../evil",
            "/./a",
            "/a/.",
            "/a/..",
            "/%2e%2e//evil.example",
            "/.%2e//evil.example",
            "/\"",
            "/<script>",
            "/a\u{85}b",
        ];
        assert!(corpus.len() >= 50, "{}", corpus.len());
        for bad in corpus {
            assert_eq!(LocalPath::parse(bad), None, "{bad:?}");
        }
        assert_eq!(LocalPath::parse(&format!("/{}", "a".repeat(1024))), None);
    }

    #[test]
    fn a_login_survives_its_cookie_and_ends_after_ten_minutes() {
        let (first, cookie) = (login(), login().cookie());
        let again = Login::parse(&cookie).expect("our own cookie");
        assert_eq!(again.organization, first.organization);
        assert_eq!(again.return_to, first.return_to);
        assert_eq!(again.replaces, Some([9; 32]));
        assert_eq!(again.nonce(), first.nonce());
        assert_eq!(again.verifier().len(), 43);
        let state = first.state();
        assert!(again.is_answered_by(&state, 1_000) && again.is_answered_by(&state, 1_600));
        assert!(!again.is_answered_by(&state, 1_601) && !again.is_answered_by(&state, 999));
        let (nonce, verifier) = (first.nonce(), first.verifier());
        assert!(state != nonce && nonce != verifier && verifier != state);
    }

    #[test]
    fn whatever_is_changed_in_the_cookie_changes_the_state() {
        let (cookie, state) = (login().cookie(), login().state());
        for place in 0..cookie.len() {
            for other in ['A', 'B', '0', '1', '.', '_'] {
                let mut text: Vec<char> = cookie.chars().collect();
                text[place] = other;
                let text: String = text.into_iter().collect();
                let changed = Login::parse(&text).filter(|_| text != *cookie);
                assert!(changed.is_none_or(|login| !login.is_answered_by(&state, 1_001)));
            }
        }
    }

    proptest! {
        #[test]
        fn one_text_for_each_secret(random: [u8; 32]) {
            let secret = SessionSecret::new(random);
            let text = secret.reveal();
            let again = SessionSecret::parse(&text).expect("our own text");
            prop_assert_eq!(again.sha256(), secret.sha256());
            let padded = format!("{}=", *text);
            prop_assert!(SessionSecret::parse(&padded).is_none());
            prop_assert!(SessionSecret::parse(&text[1..]).is_none());
        }

        #[test]
        fn no_text_breaks_the_parsers(text in ".{0,80}") {
            drop((Login::parse(&text), SessionSecret::parse(&text)));
            if let Some(path) = LocalPath::parse(&text) {
                prop_assert!(path.as_str().starts_with('/') && !path.as_str().starts_with("//"));
            }
        }
    }
}
