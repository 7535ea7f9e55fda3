//! Heads that were signed and exported.

use archive::Digest;
use domain::audit_chain::{Fault, Finding, Hash, Proof};
use domain::id::OrgId;
use domain::object_path::Namespace;
use domain::signed_document::AuditHead;
use platform::objects::ObjectError;
use serde::Deserialize;
use serde_json::Value;

use super::Partitions;
use crate::audit_chain::FORMAT;
use crate::document;
use crate::refusal::Refusal;

/// Documents that are looked up at once.
const PAGE: i64 = 100;
/// One has tens of thousands of heads at most.
const DOCUMENT_BYTES: u64 = 64 << 20;

#[derive(Debug, Deserialize)]
struct Document {
    format: String,
    number: i64,
    previous_sha256: Option<String>,
    heads: Vec<SignedHead>,
}

#[derive(Debug, Deserialize)]
struct SignedHead {
    organization_id: Option<OrgId>,
    seq: i64,
    sha256: String,
}

impl Partitions {
    /// Whether all signed heads are where they were put, and are links of the chains.
    pub(super) async fn prove_signed(&self, proof: &mut Proof) -> Result<(), Refusal> {
        // Before the rows, which come after their objects: one at most is not written down by then.
        let last = self.objects.last(Namespace::AuditHeads).await?;
        let (mut number, mut before) = (0, None);
        loop {
            let mut conn = self.pool.acquire().await?;
            let page = db::audit_chain::list_checkpoints(&mut conn, number, PAGE).await?;
            drop(conn);
            if page.is_empty() {
                break;
            }
            for one in page {
                for missing in number + 1..one.number {
                    let missing = missing.to_string();
                    proof.find(Finding::new(Fault::CheckpointMissing).with(missing));
                }
                let expected = (one.number, before.filter(|_| one.number == number + 1));
                let kept = Some(one.sha256);
                self.prove_document(&one.object_path, expected, kept, proof)
                    .await?;
                (number, before) = (one.number, Some(one.sha256));
            }
        }
        // The database may have forgotten some; one that nobody wrote down was left by whoever was
        // killed.
        let Some(last) = last else {
            return Ok(());
        };
        let of_last = last.as_str().split('-').next();
        match of_last.and_then(|digits| digits.parse::<i64>().ok()) {
            Some(one) if one <= number => Ok(()),
            Some(one) if one == number + 1 => {
                self.prove_document(last.as_str(), (one, before), None, proof)
                    .await
            }
            _ => {
                proof.find(Finding::new(Fault::CheckpointMissing).with((number + 1).to_string()));
                Ok(())
            }
        }
    }

    /// One document. `kept`: its digest, where it was written down.
    async fn prove_document(
        &self,
        path: &str,
        (number, before): (i64, Option<Hash>),
        kept: Option<Hash>,
        proof: &mut Proof,
    ) -> Result<(), Refusal> {
        proof.checkpoints += 1;
        let changed = || Finding::new(Fault::CheckpointChanged).with(path);
        let Ok(key) = document::object(Namespace::AuditHeads, path) else {
            proof.find(changed());
            return Ok(());
        };
        let text = match self.objects.get_bytes(&key, DOCUMENT_BYTES).await {
            Ok(text) => text,
            Err(ObjectError::Missing(_)) => {
                proof.find(Finding::new(Fault::CheckpointMissing).with(path));
                return Ok(());
            }
            Err(ObjectError::TooLarge(_)) => {
                proof.find(changed());
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let same = kept.is_none_or(|kept| Digest::of(&text).0 == kept);
        let document = match self.signed(&text).await? {
            Some(document) if same && document.number == number => document,
            _ => {
                proof.find(changed());
                return Ok(());
            }
        };
        let follows = document.previous_sha256 == before.map(|hash| Digest(hash).to_string());
        if !follows && (before.is_some() || number == 1) {
            proof.find(changed());
        }
        let places: Vec<_> = document
            .heads
            .iter()
            .map(|head| (head.organization_id, head.seq))
            .collect();
        let mut conn = self.pool.acquire().await?;
        let hashes = db::audit_chain::hashes_at(&mut conn, &places).await?;
        for (head, hash) in document.heads.iter().zip(hashes) {
            if hash.map(|hash| Digest(hash).to_string()).as_deref() != Some(&head.sha256) {
                let finding = Finding::new(Fault::HeadNotInChain);
                proof.find(finding.at(head.organization_id, head.seq).with(path));
            }
        }
        Ok(())
    }

    /// What a document says, if its signature holds.
    async fn signed(&self, text: &[u8]) -> Result<Option<Document>, Refusal> {
        let Ok(value) = serde_json::from_slice::<Value>(text) else {
            return Ok(None);
        };
        let holds = document::holds::<AuditHead>(&self.pool, &value).await?;
        let document = serde_json::from_value::<Document>(value).ok();
        Ok(document.filter(|document| holds && document.format == FORMAT))
    }
}
