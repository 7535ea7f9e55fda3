//! Receipts: what a tenant was handed, as its own account saw it, signed.

use std::time::Duration;

use domain::id::{AllocationId, NodeId};
use domain::inventory::Gpu;
use domain::signed_document::{Document, Receipt, Signed, Unsigned};
use domain::signing_key::Purpose;
use platform::signing::{ActiveKey, Signer};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::machine::{Fault, Report};
use crate::refusal::Refusal;

/// How long one try of the step waits for a key before the workflow looks again.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(1);

/// What is written on a receipt; the rest of it is the signature.
pub(crate) fn members(
    allocation: AllocationId,
    node: NodeId,
    checked_at: OffsetDateTime,
    report: &Report,
    gpus: &[Gpu],
) -> Result<Map<String, Value>, Fault> {
    let devices: Vec<_> = gpus
        .iter()
        .map(|gpu| {
            json!({
                "index": gpu.index,
                "uuid": gpu.uuid,
                "model": gpu.model,
                "memory_mib": gpu.memory_mib,
                "ecc_uncorrected_errors": gpu.ecc_uncorrected_errors,
                "temperature_celsius": gpu.temperature_celsius,
            })
        })
        .collect();
    let members = [
        ("allocation_id", json!(allocation)),
        ("node_id", json!(node)),
        (
            "checked_at",
            json!(checked_at.format(&Rfc3339).map_err(Fault::own)?),
        ),
        ("boot_id", json!(report.boot_id()?)),
        (
            "driver_version",
            json!(gpus.first().map(|gpu| &gpu.driver_version)),
        ),
        ("gpus", json!(devices)),
    ];
    Ok(members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

/// The key that signs receipts. While there is none (no KMS, no database) the step waits, and then
/// asks its workflow to look again: that is no fault of the machine, which must not be given up
/// for it.
pub(crate) async fn key(signer: &Signer, allocation: AllocationId) -> Result<ActiveKey, Fault> {
    let wait = async {
        loop {
            match signer.active(Purpose::JwtSigner).await {
                Ok(key) => return key,
                Err(error) => tracing::warn!(?error, %allocation, "a receipt waits for its key"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .map_err(|_| Refusal::conflict(allocation, "nothing can be signed now").into())
}

/// Puts the signature on a receipt.
pub(crate) fn sign(members: Map<String, Value>, key: &ActiveKey) -> Result<Signed<Receipt>, Fault> {
    sign_document(members, key)
}

/// The same for any document.
pub(crate) fn sign_document<D: Document>(
    members: Map<String, Value>,
    key: &ActiveKey,
) -> Result<Signed<D>, Fault> {
    let unsigned = Unsigned::new(members, key.kid()).map_err(Fault::own)?;
    let signature = key.sign(unsigned.input()).map_err(Fault::own)?;
    Ok(unsigned.signed(&signature))
}
