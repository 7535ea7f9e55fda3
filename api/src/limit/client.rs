//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::http::{Extensions, HeaderMap, HeaderName, header};
use domain::client_address::{self, NOWHERE, Reported};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection that a request came by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The caller's address (RL-05).
pub(crate) fn address(trusted: &[IpNet], headers: &HeaderMap, extensions: &Extensions) -> IpAddr {
    let peer = extensions.get::<Peer>().map_or(NOWHERE, |peer| peer.0.ip());
    // What is no text is a hop that cannot be read.
    let values = |name: HeaderName| -> Vec<&str> {
        let values = headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap_or("?")).collect()
    };
    let (list, elements) = (values(X_FORWARDED_FOR), values(header::FORWARDED));
    let reported = Reported {
        x_forwarded_for: &list,
        forwarded: &elements,
    };
    client_address::client(peer, trusted, reported)
}
