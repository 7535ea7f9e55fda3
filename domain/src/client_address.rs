//! Where a request comes from, when proxies stand in between: the right-most hop that is not one
//! of our own proxies. Whatever is further left was written by that hop and may be made up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::{IpNet, Ipv6Net};

/// What proxies wrote down, header values in the order in which they came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reported<'a> {
    /// `X-Forwarded-For`
    pub x_forwarded_for: &'a [&'a str],
    /// `Forwarded` (RFC 7239)
    pub forwarded: &'a [&'a str],
}

/// The caller's address; IPv4 inside IPv6 is IPv4.
///
/// A proxy of ours writes one of the two headers. If a request carries both and they disagree, one
/// of them is its sender's own invention, and nobody can tell which: it counts as the proxy's.
pub fn client(peer: IpAddr, trusted: &[IpNet], reported: Reported<'_>) -> IpAddr {
    let peer = peer.to_canonical();
    let by_list = rightmost(
        peer,
        trusted,
        reported
            .x_forwarded_for
            .iter()
            .rev()
            .flat_map(|line| line.rsplit(','))
            .map(address),
    );
    let elements: Vec<Option<IpAddr>> = reported
        .forwarded
        .iter()
        .flat_map(|line| split(line, ','))
        .map(|element| forwarded_for(&element))
        .collect();
    let by_elements = rightmost(peer, trusted, elements.into_iter().rev());
    match (
        reported.x_forwarded_for.is_empty(),
        reported.forwarded.is_empty(),
    ) {
        (_, true) => by_list,
        (true, false) => by_elements,
        (false, false) if by_list == by_elements => by_list,
        (false, false) => peer,
    }
}

/// Walks from the peer away from us for as long as the last hop is a proxy of ours. What cannot be
/// read ends the walk at the proxy that reported it.
fn rightmost(
    peer: IpAddr,
    trusted: &[IpNet],
    hops: impl Iterator<Item = Option<IpAddr>>,
) -> IpAddr {
    let ours = |hop: IpAddr| trusted.iter().any(|range| range.contains(&hop));
    let mut last = peer;
    for hop in hops {
        match hop {
            Some(hop) if ours(last) => last = hop,
            _ => break,
        }
    }
    last
}

/// An address, with or without a port, as proxies write it.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(text)
        .parse::<IpAddr>()
        .ok()
        .or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
        .map(|address| address.to_canonical())
}

/// The `for` of one element of `Forwarded`; `None` for `unknown`, `_names` and what is malformed.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut found = split(element, ';').into_iter().filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("for")
            .then(|| value.trim().to_owned())
    });
    let value = found.next()?;
    // Said twice: whose word counts?
    if found.next().is_some() {
        return None;
    }
    let quoted = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    address(quoted.unwrap_or(&value))
}

/// Splits outside of quoted strings.
fn split(text: &str, by: char) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for letter in text.chars() {
        if letter == by && !quoted {
            parts.push(String::new());
            continue;
        }
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts
}

/// Networks whose callers share a bucket, the smallest first, each with how many times a single
/// address' limit it has: whoever has one IPv6 address usually has a whole /64, often more.
pub fn networks(client: IpAddr) -> Vec<(IpNet, u32)> {
    match client.to_canonical() {
        IpAddr::V4(address) => vec![(IpNet::from(IpAddr::V4(address)), 1)],
        IpAddr::V6(address) => [(64, 1), (56, 4), (48, 16)]
            .into_iter()
            .filter_map(|(length, times)| {
                let network = Ipv6Net::new(address, length).ok()?.trunc();
                Some((IpNet::V6(network), times))
            })
            .collect(),
    }
}

/// The address of a caller that came by no socket.
pub const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[cfg(test)]
mod tests;
