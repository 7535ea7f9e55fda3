//! What is kept in two places and has to say the same in both.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Two places that are compared.
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
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Comparison {
    /// Intervals of use, and the records that were made of them.
    Usage,
    /// Records that a bill knew of, and its lines.
    Lines,
    /// Invoices, their lines, what was moved for them, and balances.
    Ledger,
    /// What is charged for, what is handed out, and what the looks at machines say.
    Machines,
}

impl Comparison {
    /// In the order in which they are made.
    pub const ALL: &[Self] = <Self as VariantArray>::VARIANTS;
}
