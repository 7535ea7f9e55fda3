//! Search attributes, all keywords that hold ids only (they are not encrypted).

use temporalio_common::SearchAttributeKey;

pub const ORG: &str = "BerthOrg";
pub const PROJECT: &str = "BerthProject";
pub const ALLOCATION: &str = "BerthAllocation";
pub const NODE: &str = "BerthNode";
pub const OPERATION: &str = "BerthOperation";
pub const KIND: &str = "BerthKind";

/// Every attribute that must be registered on the namespace, type `Keyword`.
pub const ALL: &[&str] = &[ORG, PROJECT, ALLOCATION, NODE, OPERATION, KIND];

/// The typed key of one of the attributes above.
pub fn keyword(name: &'static str) -> SearchAttributeKey<String> {
    SearchAttributeKey::keyword(name)
}
