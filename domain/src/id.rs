//! Typed ids: a UUID in the database, `<prefix>_<32 hex digits>` on the wire.
//!
//! One registry, so that a prefix is never given twice and a project's id cannot be passed
//! where an allocation's is wanted. Ids are made by `db::id` (this room has no clock and no
//! randomness).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    #[error("the id does not start with `{0}_`")]
    Prefix(&'static str),
    #[error("the part after the prefix is not 32 lower-case hex digits")]
    Digits,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(Uuid);

            impl $name {
                /// What every id of this kind starts with, before the underscore.
                pub const PREFIX: &'static str = $prefix;

                pub const fn from_uuid(uuid: Uuid) -> Self {
                    Self(uuid)
                }

                pub const fn uuid(self) -> Uuid {
                    self.0
                }
            }

            impl From<Uuid> for $name {
                fn from(uuid: Uuid) -> Self {
                    Self(uuid)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{}_{}", Self::PREFIX, self.0.simple())
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, f)
                }
            }

            impl FromStr for $name {
                type Err = ParseIdError;

                fn from_str(text: &str) -> Result<Self, ParseIdError> {
                    parse(Self::PREFIX, text).map(Self)
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl schemars::JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    schemars::json_schema!({
                        "type": "string",
                        "pattern": concat!("^", $prefix, "_[0-9a-f]{32}$"),
                        "maxLength": $prefix.len() + 33,
                    })
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                }
            }
        )+

        /// Every prefix in the registry.
        pub const PREFIXES: &[&str] = &[$($prefix),+];
    };
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, ParseIdError> {
    let digits = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or(ParseIdError::Prefix(prefix))?;
    let plain = digits.len() == 32
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !plain {
        return Err(ParseIdError::Digits);
    }
    Uuid::try_parse(digits).map_err(|_| ParseIdError::Digits)
}

ids! {
    /// One tenant's running hold on GPUs.
    AllocationId = "alloc";
    /// A partition that was written to the object store.
    ArchiveId = "arch";
    /// A rule that operators added to the built-in ones.
    AuthorizationPolicyId = "apol";
    /// An entry in the audit log.
    AuditId = "audit";
    /// One try to bill a period.
    BillingRunId = "bill";
    /// A person's session in one browser.
    BrowserSessionId = "session";
    /// Money that was given to an organization.
    CreditId = "credit";
    /// Money that came in or went back.
    PaymentId = "pay";
    /// A run that looks after the tables that only grow.
    MaintenanceId = "maint";
    /// A comparison of what is kept in several places.
    ReconciliationId = "recon";
    /// An intent or event that could not be delivered.
    DeadLetterId = "dead";
    /// A fact in the outbox; also its `Nats-Msg-Id`.
    EventId = "evt";
    /// One physical GPU.
    GpuId = "gpu";
    /// A subject of an OpenID provider, linked to a person.
    IdentityId = "ident";
    /// A start or wake that a workflow is owed.
    IntentId = "intent";
    /// What an organization was charged for a period, or got back.
    InvoiceId = "inv";
    /// One line of an invoice.
    InvoiceLineId = "line";
    /// One side of a movement of money.
    LedgerEntryId = "entry";
    /// One movement of money, its entries in balance.
    LedgerTransactionId = "ltx";
    /// An API key (the row, not the secret).
    ApiKeyId = "key";
    /// A machine with GPUs.
    NodeId = "node";
    /// One asynchronous change asked for by somebody.
    OperationId = "op";
    /// A tenant.
    OrgId = "org";
    /// What an SKU costs for some time.
    PriceId = "price";
    /// What one probe of a node found.
    ProbeReportId = "probe";
    /// A project of an organization.
    ProjectId = "proj";
    /// A limit of GPUs of one SKU.
    QuotaId = "quota";
    /// One process that serves the API.
    ReplicaId = "replica";
    /// A key that is replaced.
    RotationId = "rot";
    /// A tenant's public SSH key.
    SshKeyId = "sshkey";
    /// One session at a terminal: the use of one ticket.
    TerminalSessionId = "term";
    /// One stretch of billable time.
    UsageIntervalId = "usage";
    /// A person.
    UserId = "user";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_unique() {
        let mut seen = std::collections::BTreeSet::new();
        assert!(PREFIXES.iter().all(|prefix| seen.insert(prefix)));
    }

    #[test]
    fn round_trip_and_strictness() {
        let id = AllocationId::from_uuid(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in [
            "",
            "alloc_",
            "proj_00000000000000000000000000000007",
            "alloc_0000000000000000000000000000000G",
            "alloc_00000000-0000-0000-0000-000000000007",
            "alloc_000000000000000000000000000000AB",
        ] {
            assert!(bad.parse::<AllocationId>().is_err(), "{bad}");
        }
    }
}
