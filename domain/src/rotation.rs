//! Replacing keys: of which kind, why in which way, and what has to be met.

use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::policy::{self, Policy};
use crate::signing_key::Purpose;

/// How a key is replaced.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Mode {
    /// In time: the new key is known everywhere before it signs, and what the old one signed holds
    /// until it has served.
    Scheduled,
    /// The old key is in wrong hands: nothing that it signed holds, from now on.
    BreakGlass,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How a rotation ended.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    Succeeded,
    /// Somebody cancelled it before the new key signed, or while the old one served its time.
    CalledOff,
    /// A step failed for good.
    Failed,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How old a key of a purpose becomes before the schedule replaces it.
pub fn cadence(purpose: Purpose) -> &'static Policy {
    match purpose {
        Purpose::JwtSigner => &policy::JWT_SIGNER_CADENCE,
        Purpose::TerminalSigner => &policy::TERMINAL_SIGNER_CADENCE,
    }
}

/// For how long what a key signed holds, once another signs.
pub fn overlap(purpose: Purpose) -> &'static Policy {
    match purpose {
        Purpose::JwtSigner => &policy::JWT_SIGNER_OVERLAP,
        Purpose::TerminalSigner => &policy::TERMINAL_SIGNER_OVERLAP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for mode in Mode::VARIANTS {
            assert_eq!(mode.as_str().parse(), Ok(*mode));
        }
        for outcome in Outcome::VARIANTS {
            assert_eq!(outcome.as_str().parse(), Ok(*outcome));
        }
    }
}
