//! The network of simulated nodes: each has a namespace of its own, joined to the host by a veth
//! pair with a /30. A node has no route but that one: it reaches neither another node nor the
//! host's loopback.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Context as _;
use backon::{ConstantBuilder, Retryable as _};
use ipnet::Ipv4Net;
use tokio::process::Command;

const DELETE_TRIES: usize = 20;
const DELETE_PAUSE: Duration = Duration::from_millis(50);

/// One node's end and the host's end of their link.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// Name of the network namespace, `<prefix>.<node>`.
    pub(super) namespace: String,
    /// The host's interface; the kernel allows 15 characters.
    interface: String,
    host: Ipv4Addr,
    pub(super) node: Ipv4Addr,
}

impl Link {
    /// The `index`-th /30 of `network`.
    pub(super) fn new(
        prefix: &str,
        name: &str,
        network: Ipv4Net,
        index: u32,
    ) -> anyhow::Result<Self> {
        let base = u32::from(network.network());
        let last = u32::from(network.broadcast());
        let first = index
            .checked_mul(4)
            .and_then(|offset| base.checked_add(offset))
            .filter(|first| last >= 3 && *first <= last - 3)
            .with_context(|| format!("{network} has no {index}-th block of four addresses"))?;
        Ok(Self {
            namespace: format!("{prefix}.{name}"),
            interface: format!("bv{first:08x}"),
            host: Ipv4Addr::from(first + 1),
            node: Ipv4Addr::from(first + 2),
        })
    }

    /// Makes namespace and link.
    pub(super) async fn up(&self) -> anyhow::Result<()> {
        let Self {
            namespace,
            interface,
            host,
            node,
        } = self;
        ip(&format!("netns add {namespace}")).await?;
        ip(&format!(
            "link add {interface} type veth peer name eth0 netns {namespace}"
        ))
        .await?;
        ip(&format!("addr add {host}/30 dev {interface}")).await?;
        ip(&format!("link set {interface} up")).await?;
        ip(&format!("-n {namespace} addr add {node}/30 dev eth0")).await?;
        ip(&format!("-n {namespace} link set lo up")).await?;
        ip(&format!("-n {namespace} link set eth0 up")).await
    }

    /// Takes both away. The link goes first: a namespace's own clean-up happens some time later,
    /// and until then the address would stay taken.
    pub(super) async fn down(&self) {
        if let Err(error) = ip(&format!("link del {}", self.interface)).await {
            tracing::debug!("{error:#}");
        }
        // The kernel may still be taking the last process out of it.
        let namespace = (|| ip_del(&self.namespace))
            .retry(
                ConstantBuilder::default()
                    .with_delay(DELETE_PAUSE)
                    .with_max_times(DELETE_TRIES),
            )
            .await;
        if let Err(error) = namespace {
            tracing::warn!("{error:#}");
        }
    }
}

async fn ip_del(namespace: &str) -> anyhow::Result<()> {
    ip(&format!("netns del {namespace}")).await
}

/// Ends what an earlier host with this prefix left behind because it was killed.
pub(super) async fn clear_leftovers(prefix: &str) -> anyhow::Result<()> {
    let listing = output("netns list").await?;
    let mine = format!("{prefix}.");
    for namespace in listing
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.starts_with(&mine))
    {
        for pid in output(&format!("netns pids {namespace}")).await?.lines() {
            if let Ok(pid) = pid.trim().parse() {
                super::machine::kill(nix::unistd::Pid::from_raw(pid));
            }
        }
        ip(&format!("netns del {namespace}")).await?;
        tracing::info!(namespace, "cleared a node that an earlier run left behind");
    }
    Ok(())
}

/// Fails when part of the network is in use on this machine, and says by what. A link that is
/// being taken down counts for a moment, hence the tries.
pub(super) async fn ensure_unused(network: Ipv4Net) -> anyhow::Result<()> {
    use backon::Retryable as _;
    let patience = backon::ConstantBuilder::default()
        .with_delay(std::time::Duration::from_millis(100))
        .with_max_times(30);
    (|| async { check_unused(network, &output("-4 -o addr show").await?) })
        .retry(patience)
        .await
}

fn check_unused(network: Ipv4Net, addresses: &str) -> anyhow::Result<()> {
    for line in addresses.lines() {
        let mut words = line.split_whitespace();
        let interface = words.nth(1).unwrap_or_default();
        let address = words.nth(1).and_then(|a| a.parse::<Ipv4Net>().ok());
        if let Some(address) = address {
            let clash = network.contains(&address.trunc()) || address.contains(&network);
            anyhow::ensure!(
                !clash,
                "{network} is in use on this machine: interface {interface} has {address}"
            );
        }
    }
    Ok(())
}

async fn ip(arguments: &str) -> anyhow::Result<()> {
    output(arguments).await.map(drop)
}

/// Arguments hold no spaces of their own: names are checked, the rest are addresses.
async fn output(arguments: &str) -> anyhow::Result<String> {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run `ip`")?;
    anyhow::ensure!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_four() {
        let network: Ipv4Net = "10.77.3.0/24".parse().unwrap();
        let link = Link::new("p", "n", network, 63).unwrap();
        assert_eq!(link.host, Ipv4Addr::new(10, 77, 3, 253));
        assert_eq!(link.node, Ipv4Addr::new(10, 77, 3, 254));
        assert!(link.interface.len() <= 15);
        assert!(Link::new("p", "n", network, 64).is_err());
        assert!(Link::new("p", "n", network, u32::MAX).is_err());
    }

    #[test]
    fn a_network_in_use_is_refused() {
        let listing = "1: lo    inet 127.0.0.1/8 scope host lo\\ valid_lft forever\n\
             7: eth0    inet 10.77.0.5/16 brd 10.77.255.255 scope global eth0\\ valid_lft forever\n";
        assert!(check_unused("10.77.3.0/24".parse().unwrap(), listing).is_err());
        assert!(check_unused("10.78.3.0/24".parse().unwrap(), listing).is_ok());
        assert!(check_unused("10.0.0.0/8".parse().unwrap(), listing).is_err());
    }
}
