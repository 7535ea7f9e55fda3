//! `/payments`: what the payment provider tells.

mod webhook;

use crate::endpoint::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![webhook::endpoint()]
}
