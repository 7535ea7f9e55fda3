//! The network that the simulated nodes of one stack live in.

use std::net::Ipv4Addr;

use anyhow::Context as _;
use ipnet::Ipv4Net;
use rand::RngExt as _;

const TRIES: usize = 1_000;

/// A `10.x.y.0/24` that this machine has no route into.
pub(super) fn choose() -> anyhow::Result<Ipv4Net> {
    let routes = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let known: Vec<Ipv4Net> = routes.lines().skip(1).filter_map(route).collect();
    std::iter::repeat_with(|| {
        Ipv4Addr::new(
            10,
            rand::rng().random_range(64..=254),
            rand::rng().random(),
            0,
        )
    })
    .take(TRIES)
    .filter_map(|address| Ipv4Net::new(address, 24).ok())
    .find(|net| {
        !known
            .iter()
            .any(|other| other.contains(net) || net.contains(other))
    })
    .context("every network below 10.0.0.0/8 is routed somewhere")
}

/// Interface, destination, gateway, flags, count, use, metric, mask; addresses in hexadecimal, as
/// they lie in memory. The default route leads everywhere and says nothing.
fn route(line: &str) -> Option<Ipv4Net> {
    let mut fields = line.split_whitespace();
    let address = |text: &str| {
        u32::from_str_radix(text, 16)
            .ok()
            .map(|raw| Ipv4Addr::from(raw.to_ne_bytes()))
    };
    let destination = address(fields.nth(1)?)?;
    let mask = address(fields.nth(5)?)?;
    Ipv4Net::with_netmask(destination, mask)
        .ok()
        .filter(|net| net.prefix_len() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_as_the_kernel_writes_them() {
        let line = "eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0";
        assert_eq!(
            route(line).map(|net| net.to_string()).as_deref(),
            Some("192.168.0.0/24")
        );
        let default = "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0";
        assert_eq!(route(default), None);
    }

    #[test]
    fn a_private_network_of_254_hosts_is_chosen() {
        let net = choose().unwrap();
        assert_eq!(
            (
                net.prefix_len(),
                net.network().octets()[0],
                net.network().octets()[3]
            ),
            (24, 10, 0)
        );
    }
}
