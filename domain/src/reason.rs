//! Why something ended or is not usable: stable codes that clients and dashboards match on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Why an allocation is to end.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    strum::Display,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schemars(inline)]
pub enum ReleaseReason {
    UserRequest,
    Cancelled,
    LeaseExpired,
    Operator,
}

impl ReleaseReason {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A stable code such as `no_capacity`: lower case letters, digits and underscores, at most
/// [`Code::MAX_LENGTH`] of them, the first one a letter. It cannot hold a sentence, an address or
/// anything secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Code(String);

/// The text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a code is 1 to {} of a-z, 0-9 and _, the first one a letter",
    Code::MAX_LENGTH
)]
pub struct ParseCodeError;

impl Code {
    pub const MAX_LENGTH: usize = 64;
    /// The same rule for JSON Schema.
    pub const PATTERN: &str = "^[a-z][a-z0-9_]{0,63}$";

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Code {
    type Err = ParseCodeError;

    fn from_str(text: &str) -> Result<Self, ParseCodeError> {
        let sound = text.len() <= Self::MAX_LENGTH
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        sound.then(|| Self(text.to_owned())).ok_or(ParseCodeError)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        impl Code {
            $($(#[$doc])* pub fn $name() -> Self { Self($text.to_owned()) })+
        }

        #[cfg(test)]
        const KNOWN: &[&str] = &[$($text),+];
    };
}

codes! {
    /// No node had room before the wait was over.
    no_capacity = "no_capacity";
    /// The project holds as many GPUs as policy allows.
    quota_exceeded = "quota_exceeded";
    /// Somebody called it off.
    cancelled = "cancelled";
    /// The SKU is no longer sold.
    sku_retired = "sku_retired";
    /// Every node that was tried turned out bad.
    nodes_exhausted = "nodes_exhausted";
    /// The network guard refused the node's address.
    probe_target_denied = "probe_target_denied";
    /// A step was tried for as long as it may be, without an answer that says more.
    step_exhausted = "step_exhausted";
    /// Access could not be taken away, or not be shown to be gone.
    removal_unproved = "removal_unproved";
    /// The allocation ended before the order could be carried out.
    allocation_ended = "allocation_ended";
    /// The workflow that should carry the order out has ended.
    workflow_closed = "workflow_closed";
    /// The lease would be longer than policy allows.
    lease_too_long = "lease_too_long";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_narrow() {
        for good in KNOWN.iter().copied().chain(["a", "gpu_missing", "x9"]) {
            assert_eq!(
                good.parse::<Code>().map(|c| c.to_string()),
                Ok(good.to_owned())
            );
        }
        let long = "a".repeat(65);
        for bad in [
            "",
            "9a",
            "_a",
            "A",
            "a b",
            "a-b",
            "10.0.0.1",
            "ü",
            long.as_str(),
        ] {
            assert_eq!(bad.parse::<Code>(), Err(ParseCodeError), "{bad}");
        }
    }
}
