//! The chain that makes an audit log's past hard to change.
//!
//! Each organization has one; entries of no organization are in one of their own. An entry's hash is
//! SHA-256 over [`TAG`], its place (eight bytes, big endian), the hash before it (32 zero bytes at the
//! first place) and the entry as canonical JSON (RFC 8785). Whoever knows the hash at a place knows all
//! that came before it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use strum::IntoStaticStr;

use crate::id::{AuditId, OrgId};

/// What the hash of a link begins with, so that it is the hash of nothing else.
pub const TAG: &[u8] = b"berth/audit/1";
/// What an entry is, as columns of `audit_logs`. A column that comes later is part of another form.
pub const ENTRY: [&str; 13] = [
    "id",
    "created_at",
    "org_id",
    "actor_kind",
    "actor_id",
    "user_id",
    "action",
    "resource_kind",
    "resource_id",
    "outcome",
    "reason",
    "request_id",
    "detail",
];

/// SHA-256.
pub type Hash = [u8; 32];

/// How far a chain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its last place; 0: it is empty.
    pub seq: i64,
    pub hash: Hash,
}

impl Head {
    pub const EMPTY: Self = Self {
        seq: 0,
        hash: [0; 32],
    };

    /// The head with one entry more. `None`: it has no canonical form, or the chain is full.
    #[must_use]
    pub fn followed_by(&self, entry: &Map<String, Value>) -> Option<Self> {
        let seq = self.seq.checked_add(1)?;
        let mut hash = Sha256::new();
        hash.update(TAG);
        hash.update(seq.to_be_bytes());
        hash.update(self.hash);
        hash.update(serde_json_canonicalizer::to_vec(entry).ok()?);
        Some(Self {
            seq,
            hash: hash.finalize().into(),
        })
    }
}

/// What is wrong with a log or its chain.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Fault {
    /// It is not what was sealed at this place: it, or the hash here, was changed, or it had another
    /// place.
    EntryChanged,
    /// It was sealed, or waited for that, and is gone.
    EntryMissing,
    /// It is in the log, and came there past the log's own way.
    EntryInserted,
    /// There is no link at this place.
    LinkMissing,
    /// The chain ends before or after its head.
    HeadMoved,
    /// A signed head is not a link of the chain.
    HeadNotInChain,
    /// Signed heads are gone from the database or from the object store.
    CheckpointMissing,
    /// Signed heads are not what was signed.
    CheckpointChanged,
    /// An archive of the log is not what was written.
    ArchiveChanged,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub fault: Fault,
    /// Whose chain; `None`: that of no organization, or it is not about one.
    pub organization_id: Option<OrgId>,
    /// The place in it.
    pub seq: Option<i64>,
    pub entry_id: Option<AuditId>,
    /// The checkpoint or partition that it was found with.
    pub object: Option<String>,
}

impl Finding {
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            organization_id: None,
            seq: None,
            entry_id: None,
            object: None,
        }
    }

    #[must_use]
    pub fn at(self, organization_id: Option<OrgId>, seq: i64) -> Self {
        Self {
            organization_id,
            seq: Some(seq),
            ..self
        }
    }

    #[must_use]
    pub fn of(self, entry: AuditId) -> Self {
        Self {
            entry_id: Some(entry),
            ..self
        }
    }

    #[must_use]
    pub fn with(self, object: impl Into<String>) -> Self {
        Self {
            object: Some(object.into()),
            ..self
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fault)?;
        if let Some(seq) = self.seq {
            write!(f, " at place {seq} of ")?;
            match self.organization_id {
                Some(org) => write!(f, "{org}")?,
                None => f.write_str("no organization")?,
            }
        }
        if let Some(entry) = self.entry_id {
            write!(f, " ({entry})")?;
        }
        if let Some(object) = &self.object {
            write!(f, " in {object}")?;
        }
        Ok(())
    }
}

/// How many findings are kept of one look; the rest are counted.
pub const FINDINGS_KEPT: usize = 100;

/// What a look at all chains came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Entries that were read in the database.
    pub entries: u64,
    /// Entries that were read in archives.
    pub archived_entries: u64,
    /// Signed heads that were read.
    pub checkpoints: u64,
    /// How much is wrong.
    pub finding_count: u64,
    /// The first [`FINDINGS_KEPT`] of it.
    pub findings: Vec<Finding>,
}

impl Proof {
    pub fn find(&mut self, finding: Finding) {
        self.finding_count += 1;
        if self.findings.len() < FINDINGS_KEPT {
            self.findings.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn entry(number: u32) -> Map<String, Value> {
        let entry = json!({"id": number, "detail": {"b": null, "a": [1, "ü"]}});
        entry.as_object().unwrap().clone()
    }

    fn chain(entries: &[Map<String, Value>]) -> Vec<Head> {
        let mut head = Head::EMPTY;
        let follow = |one: &Map<String, Value>| {
            head = head.followed_by(one).unwrap();
            head
        };
        entries.iter().map(follow).collect()
    }

    #[test]
    fn the_form_is_the_one_that_is_written_down() {
        let head = Head::EMPTY.followed_by(&entry(1)).unwrap();
        let mut bytes = b"berth/audit/1".to_vec();
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend([0; 32]);
        bytes.extend(r#"{"detail":{"a":[1,"ü"],"b":null},"id":1}"#.as_bytes());
        assert_eq!(head.seq, 1);
        assert_eq!(head.hash, <Hash>::from(Sha256::digest(bytes)));
        let full = Head {
            seq: i64::MAX,
            ..head
        };
        assert_eq!(full.followed_by(&entry(2)), None);
    }

    proptest! {
        /// Whatever is done to the entries of a chain, its last hash is another one.
        #[test]
        fn no_other_past_has_the_same_head(
            length in 2_usize..20, at in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), what in 0..4,
        ) {
            let entries: Vec<_> = (0..u32::try_from(length).unwrap()).map(entry).collect();
            let before = *chain(&entries).last().unwrap();
            let (at, to) = (at.index(length), to.index(length));
            let mut changed = entries.clone();
            match what {
                0 => drop(changed.remove(at)),
                1 => changed.insert(at, entry(99)),
                2 => changed[at] = entry(99),
                _ => changed.swap(at, to),
            }
            let after = *chain(&changed).last().unwrap();
            prop_assert_eq!(after == before, changed == entries);
        }
    }
}
