//! Why something ended or is not usable: stable codes that clients and dashboards match on.

use std::fmt;
use std::str::FromStr;

use crate::inventory::FindingCode;
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
    BalanceDepleted,
    Operator,
}

impl ReleaseReason {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The same as a code.
    pub fn code(self) -> Code {
        Code(self.as_str().to_owned())
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

impl From<FindingCode> for Code {
    fn from(code: FindingCode) -> Self {
        Self(code.as_str().to_owned())
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
    ($($name:ident $retry:literal $title:literal;)+) => {
        impl Code {
            $(#[doc = $title] pub fn $name() -> Self { Self(stringify!($name).to_owned()) })+

            /// What a person reads, and when it makes sense to ask again.
            fn meaning(&self) -> (&'static str, &'static str) {
                match self.0.as_str() {
                    $(stringify!($name) => ($title, $retry),)+
                    _ => ("a node was found bad", "later"),
                }
            }
        }

        #[cfg(test)]
        const KNOWN: &[&str] = &[$(stringify!($name)),+];
    };
}

codes! {
    no_capacity "later" "no node had room before the wait was over";
    quota_exceeded "later" "the project or its organization has as many GPUs as policy and quotas allow";
    insufficient_balance "later" "what the organization has does not cover the start of it";
    spend_cap_exceeded "later" "the organization would spend more in an hour than its cap allows";
    sku_retired "never" "the SKU is no longer sold";
    node_retired "never" "the node is no longer in service";
    probe_target_denied "later" "the network guard refused the address of the node";
    step_exhausted "later" "a step was tried for as long as it may be";
    removal_unproved "later" "access could not be taken away, or not be shown to be gone";
    allocation_ended "never" "the allocation ended before the order was carried out";
    nothing_to_retry "never" "the allocation is in no state in which this order makes sense";
    drained "later" "an operator had the node emptied for maintenance";
    maintenance_planned "later" "the node is to be empty before the lease would end";
    cordoned "later" "an operator took the node out of service for a while";
    quarantined_by_operator "later" "an operator found the node bad";
    retired_by_operator "never" "an operator took the node out of service for good";
    force_released "later" "an operator gave up what may be left on the node";
    workflow_closed "never" "the workflow that should carry the order out has ended";
    lease_too_long "never" "the lease would be longer than policy allows";
    cancelled "never" "somebody called it off";
}

impl Code {
    /// Problem details (RFC 9457) of an operation that failed for this reason.
    pub fn problem(&self) -> serde_json::Value {
        let (title, retry) = self.meaning();
        serde_json::json!({
            "type": format!("urn:berth:problem:{self}"),
            "title": title,
            "status": 409,
            "detail": title,
            "code": self,
            "retry": retry,
        })
    }
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
