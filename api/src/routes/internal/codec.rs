//! `/internal/codec`: payloads of workflows in clear, for platform operators with Temporal's UI or
//! command line. The protocol is Temporal's own for remote codecs; every use is audited.

mod decode;
mod encode;

use axum::http::HeaderMap;
use platform::payload::{Codec, transcode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::authorization::{Action, On};
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};

pub(super) fn endpoints() -> [Endpoint; 2] {
    [decode::endpoint(), encode::endpoint()]
}

/// Repeating either is harmless; both are audited, which is why they have an action.
fn guard(action: &'static Action) -> Guard {
    Guard {
        authentication: Authentication::PlatformOperator,
        rate: RateClass::Internal,
        idempotency: Idempotency::None,
        action: Some(action),
    }
}

/// Payloads in the JSON of Temporal's API: `metadata` and `data`, every value in base64.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Payloads {
    #[schema(value_type = Vec<Object>)]
    payloads: Vec<Value>,
}

/// The namespace that the caller looks at, which must be ours: no other has our keys.
fn known_namespace(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let ours = app.settings.temporal_namespace.as_bytes();
    match headers.get("x-namespace") {
        Some(theirs) if theirs.as_bytes() != ours => Err(Problem::new(Code::NotSupported)
            .detail("payloads of another namespace are not ours to open")),
        _ => Ok(()),
    }
}

type Change = fn(&Codec, &Value) -> Option<Value>;

fn unseal(codec: &Codec, payload: &Value) -> Option<Value> {
    transcode(payload, &|payload| codec.unseal(payload)).ok()
}

fn seal(codec: &Codec, payload: &Value) -> Option<Value> {
    transcode(payload, &|payload| codec.seal(&payload)).ok()
}

/// All payloads changed, and the audit entry written; or neither.
async fn answer(
    mutation: Mutation,
    headers: &HeaderMap,
    request: Payloads,
    change: Change,
) -> Result<Committed<Payloads>, Problem> {
    let permitted = mutation.authorize(On::Organization)?;
    let app = permitted.app();
    known_namespace(&app, headers)?;
    let codec = app.dependencies.codec().ok_or_else(|| {
        Problem::new(Code::Unavailable)
            .detail("the keys of payloads are not there yet")
            .retry_after_seconds(1)
    })?;
    let changed = request.payloads.iter().enumerate().map(|(index, payload)| {
        change(&codec, payload).ok_or_else(|| {
            Problem::invalid(
                format!("/payloads/{index}"),
                "this payload cannot be opened",
            )
        })
    });
    let payloads = changed.collect::<Result<_, _>>()?;
    let namespace = app.settings.temporal_namespace.clone();
    Ok(permitted
        .told("temporal_namespace", &namespace, &Payloads { payloads })
        .await?)
}
