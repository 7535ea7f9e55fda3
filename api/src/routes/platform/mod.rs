//! What operators' tools ask: liveness, readiness, metrics, the API's own description, the keys it signs with.

mod jwks;
mod livez;
mod metrics;
mod openapi;
mod readyz;

use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        livez::endpoint(),
        readyz::endpoint(),
        metrics::endpoint(),
        openapi::endpoint(),
        jwks::endpoint(),
    ]
}

/// Anybody may ask, nothing is changed.
const OPEN: Guard = Guard {
    authentication: Authentication::Public,
    rate: RateClass::Platform,
    idempotency: Idempotency::None,
    action: None,
};
