//! Before the transaction: the allocation's id, and what is sealed for it.

use std::sync::Arc;

use axum::http::Extensions;
use domain::envelope::column::SchedulerRequest;
use domain::envelope::{EncCtx, Owner, Sealed};
use domain::id::AllocationId;
use secrecy::ExposeSecret as _;

use super::demand::Request;
use crate::body::read;
use crate::call::Call;
use crate::problem::Problem;

#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) id: AllocationId,
    pub(super) scheduler_request: Option<Arc<Sealed<SchedulerRequest>>>,
}

/// Draws the id and seals what is said to the scheduler for it. A body that is unsound is left to
/// the handler to explain.
pub(super) async fn prepare(call: &Call) -> Result<Extensions, Problem> {
    let id: AllocationId = db::id::fresh();
    let text = read::<Request>(&call.body)
        .ok()
        .and_then(|request| request.scheduler_text());
    let scheduler_request = match (text, &call.principal) {
        (Some(text), Some(principal)) => {
            let at = EncCtx::new(Owner::Organization(principal.org_id), &id);
            Some(Arc::new(
                call.app.sealer.seal(&at, text.expose_secret()).await?,
            ))
        }
        _ => None,
    };
    let mut extensions = Extensions::new();
    extensions.insert(Prepared {
        id,
        scheduler_request,
    });
    Ok(extensions)
}
