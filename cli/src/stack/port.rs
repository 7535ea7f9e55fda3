//! Free ports of the loopback interface.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::Context as _;
use rand::RngExt as _;

const LOWEST: u16 = 20_000;
const TRIES: usize = 1_000;

/// Whether a server could listen here now.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port that will do and that the kernel hands to no outgoing connection; otherwise a server that was
/// stopped could not have its port back.
pub(super) fn choose(will_do: impl Fn(u16) -> bool) -> anyhow::Result<u16> {
    let highest = first_ephemeral().unwrap_or(32_768).max(LOWEST + 2_000);
    std::iter::repeat_with(|| rand::rng().random_range(LOWEST..highest))
        .take(TRIES)
        .find(|port| will_do(*port))
        .context("no free port on 127.0.0.1")
}

fn first_ephemeral() -> Option<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_port_will_do() {
        let first = choose(is_free).unwrap();
        let second = choose(|port| port != first && port % 2 == 0).unwrap();
        assert!(first != second && second % 2 == 0);
        choose(|_| false).expect_err("none will do");
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_not_free() {
        let port = choose(is_free).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(!is_free(port));
        drop(listener);
        assert!(is_free(port));
    }
}
