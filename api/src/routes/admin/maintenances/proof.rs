//! What is wrong with the audit log.

use domain::audit_chain::{Fault, Finding, Proof};
use domain::id::{AuditId, OrgId};
use serde::Serialize;
use utoipa::ToSchema;

/// A look at the whole audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditProof)]
pub(super) struct ProofView {
    /// Entries that were read in the database.
    entries: u64,
    /// Entries that were read in archives; a run of the schedule reads none.
    archived_entries: u64,
    /// Signed heads that were read.
    checkpoints: u64,
    /// How much is wrong.
    finding_count: u64,
    /// The first hundred of it.
    findings: Vec<FindingView>,
}

/// Something is wrong with the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditFinding)]
struct FindingView {
    /// `entry_changed`: it is not what was sealed here; `entry_missing`; `entry_inserted`: nobody sealed
    /// it; `link_missing`; `head_moved`: the chain ends elsewhere than it should; `head_not_in_chain`: a
    /// signed head; `checkpoint_missing`, `checkpoint_changed`: signed heads themselves;
    /// `archive_changed`.
    #[schema(value_type = String, example = "entry_changed")]
    fault: Fault,
    /// Whose chain; null: that of no organization, or it is about none.
    #[schema(value_type = Option<String>, required)]
    organization_id: Option<OrgId>,
    /// The place in it.
    #[schema(required)]
    seq: Option<i64>,
    #[schema(value_type = Option<String>, required)]
    audit_event_id: Option<AuditId>,
    /// The signed heads or the partition that it was found with.
    #[schema(required)]
    object: Option<String>,
}

impl From<Proof> for ProofView {
    fn from(proof: Proof) -> Self {
        Self {
            entries: proof.entries,
            archived_entries: proof.archived_entries,
            checkpoints: proof.checkpoints,
            finding_count: proof.finding_count,
            findings: proof.findings.into_iter().map(FindingView::from).collect(),
        }
    }
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        Self {
            fault: finding.fault,
            organization_id: finding.organization_id,
            seq: finding.seq,
            audit_event_id: finding.entry_id,
            object: finding.object,
        }
    }
}
