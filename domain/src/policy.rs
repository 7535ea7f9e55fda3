//! Settings that operators change while Berth runs: one table of keys, units, bounds and defaults.
//!
//! A row in `policy_values` overrides a default; project beats organization beats platform.

mod growth;

use serde_json::Value;
use strum::IntoStaticStr;

pub use self::growth::TRIGGERS;
use crate::id::{OrgId, ProjectId};

/// What a policy's number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Unit {
    Seconds,
    Count,
}

/// One setting. Values are whole numbers, `min <= value <= max`.
#[derive(Debug, PartialEq, Eq)]
pub struct Policy {
    pub key: &'static str,
    pub unit: Unit,
    pub min: i64,
    pub max: i64,
    pub default: i64,
    pub text: &'static str,
}

/// Whose value is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Platform,
    Organization(OrgId),
    Project(OrgId, ProjectId),
}

/// Why a value is not one for this policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("the value is not a whole number")]
    Type,
    #[error("the value is not between {min} and {max}")]
    Bounds { min: i64, max: i64 },
}

impl Policy {
    /// Reads a value as it is stored and sent: a whole number within bounds.
    pub fn parse(&self, value: &Value) -> Result<i64, PolicyError> {
        let number = value.as_i64().ok_or(PolicyError::Type)?;
        if (self.min..=self.max).contains(&number) {
            Ok(number)
        } else {
            Err(PolicyError::Bounds {
                min: self.min,
                max: self.max,
            })
        }
    }
}

/// The policy with that key.
pub fn find(key: &str) -> Option<&'static Policy> {
    all().find(|policy| policy.key == key)
}

/// Every policy there is.
pub fn all() -> impl Iterator<Item = &'static Policy> {
    PLAIN.iter().copied().chain(TRIGGERS.iter().flatten())
}

macro_rules! policies {
    ($($name:ident = $key:literal, $unit:ident $min:literal..=$max:literal, default $default:literal, $text:literal;)+) => {
        $(#[doc = $text] pub static $name: Policy = Policy {
            key: $key, unit: Unit::$unit, min: $min, max: $max, default: $default, text: $text,
        };)+

        static PLAIN: &[&Policy] = &[$(&$name),+];
    };
}

policies! {
    QUEUE_TIMEOUT = "allocation.queue_timeout_seconds", Seconds 0..=604_800, default 3_600,
        "How long an allocation waits for capacity when its request does not say; 0: fail at once.";
    QUEUE_WAIT_LIMIT = "allocation.queue_wait_limit_seconds", Seconds 1..=604_800, default 1_800,
        "How long the first in a queue may wait before operators are alerted.";
    LEASE = "allocation.lease_seconds", Seconds 1..=31_536_000, default 86_400,
        "Length of a lease when the request does not say.";
    LEASE_MAX = "allocation.lease_max_seconds", Seconds 1..=31_536_000, default 2_592_000,
        "Longest time from now to a lease's end, at creation and after an extension.";
    LEASE_WARNING = "allocation.lease_warning_seconds", Seconds 0..=604_800, default 86_400,
        "How long before a lease's end its tenant is told; 0: not at all.";
    LEASE_LAST_WARNING = "allocation.lease_last_warning_seconds", Seconds 0..=604_800, default 3_600,
        "The same, once more.";
    GPUS_MAX = "allocation.gpus_max", Count 0..=100_000, default 64,
        "GPUs that the live allocations of one project may ask for together.";
    NODE_ATTEMPTS = "allocation.node_attempts", Count 1..=10, default 3,
        "Nodes that are tried before an allocation fails.";
    PROBE_TIMEOUT = "node.probe_timeout_seconds", Seconds 1..=600, default 60,
        "How long one probe of a node may take.";
    ACCESS_TIMEOUT = "node.access_timeout_seconds", Seconds 1..=600, default 60,
        "How long one try to set up or remove access on a node may take.";
    STEP_RETRY = "node.step_retry_seconds", Seconds 1..=3_600, default 120,
        "How long a step on a node is tried again before another node is taken.";
    HEALTH_TIMEOUT = "node.health_timeout_seconds", Seconds 1..=600, default 20,
        "How long one look of the health sweep at a node may take.";
    HEALTH_MISSES = "node.health_misses", Count 1..=100, default 3,
        "Looks in a row without an answer, until a node counts as lost.";
    HEALTH_GOOD_LOOKS = "node.health_good_looks", Count 1..=100, default 2,
        "Looks in a row that find nothing, until a node counts as well again.";
    RELEASE_RETRY = "allocation.release_retry_seconds", Seconds 1..=86_400, default 900,
        "How long removal from a node is tried again before it counts as failed.";
    OPERATION_DEADLINE = "operation.deadline_seconds", Seconds 1..=604_800, default 1_800,
        "Time after which an open operation counts as stuck; waiting in the queue comes on top.";
    METERING_WINDOW = "billing.window_seconds", Seconds 1..=3_600, default 60,
        "How long the windows are that use is recorded for; they begin at full multiples.";
    BILLING_DEADLINE = "billing.run_deadline_seconds", Seconds 1..=604_800, default 7_200,
        "Time after which a billing run that is under way counts as stuck.";
    BILLING_BATCH = "billing.batch_accounts", Count 1..=10_000, default 500,
        "Accounts that a billing run settles in one transaction.";
    RECONCILE_BACK = "billing.reconcile_back_seconds", Seconds 3_600..=31_536_000, default 3_456_000,
        "How far back use, lines and ledger are compared.";
    PREPAID = "billing.prepaid", Count 0..=1, default 0,
        "1: whoever gets an account pays before the use; 0: that begins with the first money that an account without any use is given.";
    START_HOLD = "billing.start_hold_seconds", Seconds 0..=86_400, default 600,
        "For how long a prepaid balance must cover an allocation before it is let in.";
    BALANCE_LOW = "billing.balance_low_seconds", Seconds 0..=2_592_000, default 86_400,
        "How long before its end, at the rate of the moment, a prepaid balance is low.";
    BALANCE_LAST = "billing.balance_last_warning_seconds", Seconds 0..=86_400, default 900,
        "How long before its end everybody is told that all will be released.";
    BALANCE_LOOK = "billing.balance_look_seconds", Seconds 1..=3_600, default 300,
        "How long a running balance is left alone at most when nothing is known to change.";
    JWT_SIGNER_CADENCE = "rotation.jwt_signer_cadence_seconds", Seconds 60..=157_680_000, default 7_776_000,
        "How old the key that signs receipts becomes before the schedule replaces it.";
    TERMINAL_SIGNER_CADENCE = "rotation.terminal_signer_cadence_seconds", Seconds 60..=157_680_000, default 7_776_000,
        "The same of the key that signs tickets.";
    PUBLISH = "rotation.publish_seconds", Seconds 0..=604_800, default 600,
        "How long a new key is published before it signs, unless glass is broken.";
    JWT_SIGNER_OVERLAP = "rotation.jwt_signer_overlap_seconds", Seconds 0..=31_536_000, default 7_776_000,
        "For how long receipts of the old key hold, once the new one signs.";
    TERMINAL_SIGNER_OVERLAP = "rotation.terminal_signer_overlap_seconds", Seconds 0..=31_536_000, default 300,
        "The same of tickets.";
    CONTAIN_TARGET = "rotation.contain_target_seconds", Seconds 1..=86_400, default 300,
        "Within how long nothing that a stolen key signed is to hold.";
    REKEY_TARGET = "rotation.rekey_target_seconds", Seconds 1..=86_400, default 900,
        "Within how long all that it had signed and is needed is to be signed anew.";
    USAGE_RECORDS_INTERVAL = "partition.usage_records_interval", Count 0..=2, default 2,
        "How much a partition of this table holds; 0: a day, 1: a week, 2: a month.";
    USAGE_RECORDS_AHEAD = "partition.usage_records_ahead", Count 1..=100, default 3,
        "Partitions of this table that are made before they are needed.";
    USAGE_RECORDS_KEPT = "partition.usage_records_kept_seconds", Seconds 0..=3_153_600_000, default 0,
        "How long after its end a partition of this table stays before it is archived and dropped; 0: for good. At least 93 days, and until all of it is billed.";
    LEDGER_ENTRIES_INTERVAL = "partition.ledger_entries_interval", Count 0..=2, default 2,
        "The same of ledger entries.";
    LEDGER_ENTRIES_AHEAD = "partition.ledger_entries_ahead", Count 1..=100, default 3,
        "The same of ledger entries.";
    LEDGER_ENTRIES_KEPT = "partition.ledger_entries_kept_seconds", Seconds 0..=3_153_600_000, default 0,
        "The same of ledger entries. At least 93 days.";
    AUDIT_LOGS_INTERVAL = "partition.audit_logs_interval", Count 0..=2, default 2,
        "The same of the audit log.";
    AUDIT_LOGS_AHEAD = "partition.audit_logs_ahead", Count 1..=100, default 3,
        "The same of the audit log.";
    AUDIT_LOGS_KEPT = "partition.audit_logs_kept_seconds", Seconds 0..=3_153_600_000, default 0,
        "The same of the audit log. At least 93 days, and until all of it is sealed.";
    OUTBOX_EVENTS_INTERVAL = "partition.outbox_events_interval", Count 0..=2, default 0,
        "The same of events.";
    OUTBOX_EVENTS_AHEAD = "partition.outbox_events_ahead", Count 1..=100, default 7,
        "The same of events.";
    OUTBOX_EVENTS_KEPT = "partition.outbox_events_kept_seconds", Seconds 0..=3_153_600_000, default 0,
        "How long after its end a partition of events stays, unless it holds some that wait to be delivered; 0: for good. What is gone is also gone from the events of an allocation.";
    OUTBOX_EVENTS_ARCHIVE = "partition.outbox_events_archive", Count 0..=1, default 0,
        "1: a partition of events is archived before it is dropped.";
    WORKFLOW_INTENTS_INTERVAL = "partition.workflow_intents_interval", Count 0..=2, default 0,
        "The same of intents.";
    WORKFLOW_INTENTS_AHEAD = "partition.workflow_intents_ahead", Count 1..=100, default 7,
        "The same of intents.";
    WORKFLOW_INTENTS_KEPT = "partition.workflow_intents_kept_seconds", Seconds 0..=3_153_600_000, default 2_592_000,
        "The same of intents, which nobody reads once they are delivered.";
    WORKFLOW_INTENTS_ARCHIVE = "partition.workflow_intents_archive", Count 0..=1, default 0,
        "The same of intents.";
    RESTORED_KEPT = "partition.restored_kept_seconds", Seconds 60..=31_536_000, default 604_800,
        "How long a partition stays that was brought back from an archive.";
    IDEMPOTENCY_KEYS_KEPT = "retention.idempotency_keys_seconds", Seconds 0..=31_536_000, default 86_400,
        "How long an idempotency record stays once it has expired.";
    TERMINAL_SESSIONS_KEPT = "retention.terminal_sessions_seconds", Seconds 86_400..=3_153_600_000, default 7_776_000,
        "How long it is known that a terminal was opened, and with which ticket.";
    BROWSER_SESSIONS_KEPT = "retention.browser_sessions_seconds", Seconds 0..=31_536_000, default 2_592_000,
        "How long a browser's session stays once it is over.";
    DEAD_LETTERS_KEPT = "retention.dead_letters_seconds", Seconds 0..=31_536_000, default 7_776_000,
        "How long a dead letter stays once it was sent again. Others stay.";
    AUDIT_CHECKPOINT = "audit.checkpoint_seconds", Seconds 60..=86_400, default 3_600,
        "How often the heads of the audit log's chains are signed and exported, where they have moved.";
    RELAY_ATTEMPTS = "relay.attempts_max", Count 1..=1_000, default 10,
        "Tries to deliver an event or intent that is refused, before it becomes a dead letter.";
    RELAY_BACKOFF = "relay.backoff_max_seconds", Seconds 1..=3_600, default 30,
        "Longest pause between two tries to deliver an event or intent that is refused.";
    POLL = "policy.poll_seconds", Seconds 1..=60, default 5,
        "How often each API process looks for changes of policies that the bus did not tell it.";
    CERTIFICATE_TTL = "ssh.certificate_ttl_max_seconds", Seconds 60..=3_600, default 3_600,
        "Longest life of a tenant's SSH certificate.";
    KEY_LIFETIME = "api_key.lifetime_seconds", Seconds 60..=31_536_000, default 7_776_000,
        "Life of an API key when the request does not say.";
    KEY_LIFETIME_MAX = "api_key.lifetime_max_seconds", Seconds 60..=31_536_000, default 31_536_000,
        "Longest life of an API key, at creation and from a rotation on.";
    KEY_OVERLAP = "api_key.overlap_seconds", Seconds 0..=604_800, default 86_400,
        "How long the old secret opens after a rotation when the request does not say.";
    KEY_OVERLAP_MAX = "api_key.overlap_max_seconds", Seconds 0..=604_800, default 604_800,
        "Longest time for which two secrets of an API key open.";
    KEYS_MAX = "api_key.live_max", Count 1..=20, default 20,
        "API keys of one person in one organization that open something at the same time.";
    SESSION_IDLE = "browser_session.idle_seconds", Seconds 60..=86_400, default 3_600,
        "How long a browser's session lives without a request.";
    SESSION_LIFETIME = "browser_session.lifetime_seconds", Seconds 60..=604_800, default 43_200,
        "How long it lives at most.";
    OPERATOR_SESSION_IDLE = "browser_session.operator_idle_seconds", Seconds 60..=86_400, default 900,
        "The same of a platform operator's session, without a request.";
    OPERATOR_SESSION_LIFETIME = "browser_session.operator_lifetime_seconds", Seconds 60..=604_800, default 28_800,
        "The same of a platform operator's session, at most.";
    READ_PER_MINUTE = "rate_limit.read_per_minute", Count 1..=1_000_000, default 600,
        "Calls that look at something, for one person in one organization.";
    READ_BURST = "rate_limit.read_burst", Count 1..=100_000, default 120,
        "How many of them at once.";
    WRITE_PER_MINUTE = "rate_limit.write_per_minute", Count 1..=1_000_000, default 120,
        "Calls that change something, for one person in one organization.";
    WRITE_BURST = "rate_limit.write_burst", Count 1..=100_000, default 30,
        "How many of them at once.";
    PROVISION_PER_MINUTE = "rate_limit.provision_per_minute", Count 1..=1_000_000, default 120,
        "Calls that start work on machines, for one person in one organization.";
    PROVISION_BURST = "rate_limit.provision_burst", Count 1..=100_000, default 30,
        "How many of them at once.";
    CREDENTIAL_PER_MINUTE = "rate_limit.credential_per_minute", Count 1..=1_000_000, default 60,
        "Calls that make, rotate or revoke credentials, for one person in one organization.";
    CREDENTIAL_BURST = "rate_limit.credential_burst", Count 1..=100_000, default 30,
        "How many of them at once.";
    TERMINAL_PER_MINUTE = "rate_limit.terminal_per_minute", Count 1..=1_000_000, default 10,
        "Tickets for terminals, for one person in one organization.";
    TERMINAL_BURST = "rate_limit.terminal_burst", Count 1..=100_000, default 3,
        "How many of them at once.";
    PROBE_PER_MINUTE = "rate_limit.probe_per_minute", Count 1..=1_000_000, default 30,
        "Probes of nodes that one operator asks for.";
    PROBE_BURST = "rate_limit.probe_burst", Count 1..=100_000, default 10,
        "How many of them at once.";
    ADMIN_PER_MINUTE = "rate_limit.admin_per_minute", Count 1..=1_000_000, default 600,
        "Other calls of one operator's.";
    ADMIN_BURST = "rate_limit.admin_burst", Count 1..=100_000, default 100,
        "How many of them at once.";
    INTERNAL_PER_MINUTE = "rate_limit.internal_per_minute", Count 1..=1_000_000, default 600,
        "Calls of internal routes by one operator.";
    INTERNAL_BURST = "rate_limit.internal_burst", Count 1..=100_000, default 100,
        "How many of them at once.";
    UNAUTHENTICATED_PER_MINUTE = "rate_limit.unauthenticated_per_minute", Count 1..=1_000_000, default 60,
        "Calls from one address (IPv4, or IPv6 /64) by whom nobody knows yet; a /56 has 4 times as many, a /48 16 times.";
    UNAUTHENTICATED_BURST = "rate_limit.unauthenticated_burst", Count 1..=100_000, default 30,
        "How many of them at once.";
    ORGANIZATION_FACTOR = "rate_limit.organization_factor", Count 1..=1_000, default 10,
        "How many times the limit of one person all people of an organization have together.";
    ADDRESS_FACTOR = "rate_limit.address_factor", Count 1..=1_000, default 10,
        "How many times the limit of one person all people behind one address have together.";
    CLASS_FACTOR = "rate_limit.class_factor", Count 1..=1_000, default 1000,
        "How many times the limit of one person everybody has together.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn table_is_sound() {
        let mut seen = std::collections::BTreeSet::new();
        for policy in all() {
            assert!(seen.insert(policy.key), "{} twice", policy.key);
            assert_eq!(
                policy.parse(&json!(policy.default)),
                Ok(policy.default),
                "{}",
                policy.key
            );
            assert_eq!(find(policy.key), Some(policy));
            if policy.unit == Unit::Seconds {
                assert!(
                    policy.key.ends_with("_seconds"),
                    "{} hides its unit",
                    policy.key
                );
            }
        }
        assert_eq!(find("no.such"), None);
    }

    #[test]
    fn bounds_and_type() {
        let bounds = PolicyError::Bounds { min: 1, max: 10 };
        for (value, expected) in [
            (json!(1), Ok(1)),
            (json!(10), Ok(10)),
            (json!(0), Err(bounds)),
            (json!(11), Err(bounds)),
            (json!("3"), Err(PolicyError::Type)),
            (json!(3.5), Err(PolicyError::Type)),
            (json!(null), Err(PolicyError::Type)),
            (json!(true), Err(PolicyError::Type)),
        ] {
            assert_eq!(NODE_ATTEMPTS.parse(&value), expected, "{value}");
        }
    }
}
