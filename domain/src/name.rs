//! Names that people give to things.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// What a person called something: 1 to 128 characters on one line, no space at either end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// A short name for addresses: 1 to 63 of `a-z`, `0-9` and inner hyphens (a DNS label, RFC 1123).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Slug(String);

/// An address of e-mail, judged only as far as a person could have mistyped it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Email(String);

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("must hold between 1 and {0} characters")]
    Length(usize),
    #[error("must not begin or end with white space")]
    Padded,
    #[error("must not hold control characters")]
    Control,
    #[error("must be lower-case letters, digits and inner hyphens")]
    Slug,
    #[error("must look like name@host")]
    Email,
}

impl Name {
    /// The greatest length, in characters.
    pub const MAX_CHARS: usize = 128;

    pub fn parse(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if !(1..=Self::MAX_CHARS).contains(&text.chars().count()) {
            return Err(NameError::Length(Self::MAX_CHARS));
        }
        if text.trim().len() != text.len() {
            return Err(NameError::Padded);
        }
        if text.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        Ok(Self(text))
    }
}

impl Slug {
    /// The greatest length, in bytes.
    pub const MAX_BYTES: usize = 63;

    pub fn parse(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if !(1..=Self::MAX_BYTES).contains(&text.len()) {
            return Err(NameError::Length(Self::MAX_BYTES));
        }
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let inner = text.bytes().all(|b| plain(b) || b == b'-');
        let ends = text.bytes().next().is_some_and(plain) && text.bytes().last().is_some_and(plain);
        if inner && ends {
            Ok(Self(text))
        } else {
            Err(NameError::Slug)
        }
    }
}

impl Email {
    /// The greatest length, in characters (RFC 5321, section 4.5.3.1).
    pub const MAX_CHARS: usize = 254;

    pub fn parse(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.chars().count() > Self::MAX_CHARS {
            return Err(NameError::Length(Self::MAX_CHARS));
        }
        let odd = text.chars().any(|c| c.is_whitespace() || c.is_control());
        match text.split_once('@') {
            Some((local, host))
                if !odd && !local.is_empty() && !host.is_empty() && !host.contains('@') =>
            {
                Ok(Self(text))
            }
            _ => Err(NameError::Email),
        }
    }
}

macro_rules! texts {
    ($($name:ident)+) => {$(
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    )+};
}

texts! { Name Slug Email }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(Name::parse("Größe 7 / ml-team").is_ok());
        assert!(Name::parse("x".repeat(128)).is_ok());
        assert_eq!(Name::parse(""), Err(NameError::Length(128)));
        assert_eq!(Name::parse("x".repeat(129)), Err(NameError::Length(128)));
        assert_eq!(Name::parse(" x"), Err(NameError::Padded));
        assert_eq!(Name::parse("a\nb"), Err(NameError::Control));
        assert_eq!(Name::parse("a\0b"), Err(NameError::Control));
    }

    #[test]
    fn slugs() {
        for good in ["a", "a-b", "0x", &"x".repeat(63)] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "ä", "a_b", "a b", &"x".repeat(64)] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn emails() {
        assert!(Email::parse("ada@example.org").is_ok());
        for bad in [
            "",
            "ada",
            "@x",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b\n",
            &format!("a@{}", "x".repeat(254)),
        ] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }
}
