//! Signing anew what keys had signed that hold no longer. Only what they did sign: who wrote something
//! else into a row gets no signature for it.

use contract::rotation::{ResignInput, Resigned};
use db::PgConnection;
use db::rotation;
use domain::rotation::Mode;
use domain::signed_document::{self, Document, Receipt, RotationEvidence, Signed};
use domain::signing_key::Purpose;
use domain::state::StepState;
use platform::signing::{ActiveKey, verify};
use serde_json::Value;

use super::{Rotations, find_open};
use crate::allocation::{count, record_step};
use crate::machine::Fault;
use crate::receipt;

/// Receipts of one step.
const BATCH: i64 = 100;

impl Rotations {
    pub(super) async fn sign_anew(&self, input: ResignInput) -> Result<Resigned, Fault> {
        let id = input.rotation_id;
        let mut tx = self.pool.begin().await?;
        let found = find_open(&mut tx, id).await?;
        let (mut resigned, mut refused, mut last) = (0, found.documents_refused, None);
        // Tickets live for seconds: whoever had one asks for another.
        if found.purpose == Purpose::JwtSigner {
            self.signer.renew().await.map_err(Fault::own)?;
            let active = self.signer.active(Purpose::JwtSigner).await;
            let active = active.map_err(Fault::own)?;
            // Also of those that somebody revoked by hand.
            let kids = db::signing_key::revoked(&mut tx, found.purpose).await?;
            if input.after.is_none() {
                for (rotation, old) in rotation::evidence_of(&mut tx, &kids).await? {
                    if let Some(new) = anew::<RotationEvidence>(&mut tx, &old, &active).await? {
                        rotation::resign_evidence(&mut tx, rotation, &new).await?;
                        resigned += 1;
                    }
                }
            }
            // In time, receipts of machines that were given back have served.
            let held_only = found.mode == Mode::Scheduled;
            let after = input.after;
            let receipts =
                db::machine::receipts_of(&mut tx, &kids, held_only, after, BATCH).await?;
            last = receipts.last().map(|old| (old.allocation_id, old.attempt));
            for old in &receipts {
                if let Some(new) = anew::<Receipt>(&mut tx, &old.receipt, &active).await? {
                    db::machine::resign_receipt(&mut tx, old, &new).await?;
                    resigned += 1;
                }
            }
            if last.is_none() {
                // Whatever still names these keys was not signed by them.
                let evidence = rotation::evidence_of(&mut tx, &kids).await?.len();
                refused = db::machine::count_receipts_of(&mut tx, &kids, held_only).await?
                    + i64::try_from(evidence).unwrap_or(i64::MAX);
                rotation::set_refused_documents(&mut tx, id, refused).await?;
            }
        }
        rotation::add_resigned(&mut tx, id, resigned).await?;
        let what = format!(
            "{} documents, and {} that it had not signed",
            found.documents_resigned + resigned,
            refused
        );
        let (operation, done) = (found.operation_id, StepState::Succeeded);
        record_step(&mut tx, operation, "resign", done, Some(&what)).await?;
        tx.commit().await?;
        Ok(Resigned {
            documents: count(resigned),
            last,
        })
    }
}

/// The same with the key that signs. `None`: it was not signed by the key that it names.
async fn anew<D: Document>(
    conn: &mut PgConnection,
    old: &Value,
    active: &ActiveKey,
) -> Result<Option<Signed<D>>, Fault> {
    let Ok(claim) = signed_document::claim::<D>(old) else {
        return Ok(None);
    };
    let public = db::signing_key::public(conn, &claim.kid).await?;
    if !public.is_some_and(|key| verify(&key, &claim.input, &claim.signature)) {
        return Ok(None);
    }
    let members = signed_document::members(old).map_err(Fault::own)?;
    Ok(Some(receipt::sign_document(members, active)?))
}
