//! The one place that opens connections to addresses that somebody gave (SSRF-03 to SSRF-07).
//!
//! A host is resolved once, every answer is judged, and the connection goes to the very address
//! that passed; what the name means a moment later does not matter. Nothing of the answer's
//! reason leaves by the error's text: the class is in the metric.

pub mod web;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use domain::net_guard::{Denied, NetGuard, Target};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverOpts};
use ipnet::IpNet;
use tokio::net::TcpStream;

/// Of a name's addresses, more than this is no machine.
const MAX_ANSWERS: usize = 8;
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Never tried again: the target is wrong, not its state.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The name has no address now.
    #[error("the name cannot be resolved")]
    Unresolved,
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    #[error("the connection was not made within {CONNECT_TIMEOUT:?}")]
    TimedOut,
}

/// Dials nodes.
#[derive(Debug, Clone)]
pub struct Dialer {
    guard: NetGuard,
    resolver: TokioResolver,
}

impl Dialer {
    /// With the machine's own name servers. `allowed`: the networks that nodes live in.
    pub fn new(allowed: Vec<IpNet>) -> anyhow::Result<Self> {
        let mut builder = TokioResolver::builder_tokio()?;
        *builder.options_mut() = options();
        Ok(Self {
            guard: NetGuard::new(allowed),
            resolver: builder.build()?,
        })
    }

    /// With name servers of the caller's choice.
    pub fn with_name_servers(
        allowed: Vec<IpNet>,
        servers: Vec<hickory_resolver::config::NameServerConfig>,
    ) -> anyhow::Result<Self> {
        let config =
            hickory_resolver::config::ResolverConfig::from_parts(None, Vec::new(), servers);
        let runtime = hickory_resolver::net::runtime::TokioRuntimeProvider::default();
        let resolver = TokioResolver::builder_with_config(config, runtime)
            .with_options(options())
            .build()?;
        Ok(Self {
            guard: NetGuard::new(allowed),
            resolver,
        })
    }

    /// Opens a connection to a host's port. Counts a refusal by its class.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let connected = self.resolve_and_connect(host, port).await;
        connected.inspect_err(count)
    }

    /// Judges a host's port as [`Self::connect`] would at this moment, and connects to nothing.
    pub async fn judge(&self, host: &str, port: u16) -> Result<(), DialError> {
        let judged = self.judged_addresses(host, port).await;
        judged.map(drop).inspect_err(count)
    }

    async fn resolve_and_connect(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let mut last = DialError::Unresolved;
        for address in self.judged_addresses(host, port).await? {
            match connect(SocketAddr::new(address, port)).await {
                Err(error @ (DialError::Connect(_) | DialError::TimedOut)) => last = error,
                settled => return settled,
            }
        }
        Err(last)
    }

    /// Every address of the host, each of them found good.
    async fn judged_addresses(&self, host: &str, port: u16) -> Result<Vec<IpAddr>, DialError> {
        let target = Target::parse(host)?;
        self.guard.judge(&target, port)?;
        let addresses = match target {
            Target::Address(address) => vec![address],
            Target::Name(name) => self.resolve(&name).await?,
        };
        let own = own_addresses().map_err(DialError::Connect)?;
        for address in &addresses {
            self.guard.judge_address(*address, &own)?;
        }
        Ok(addresses)
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, DialError> {
        // The dot at the end: a name is whole as it stands, no search list completes it.
        let answers = self.resolver.lookup_ip(format!("{name}."));
        let addresses: Vec<IpAddr> = tokio::time::timeout(RESOLVE_TIMEOUT, answers)
            .await
            .map_err(|_| DialError::Unresolved)?
            .map_err(|_| DialError::Unresolved)?
            .iter()
            .collect();
        match addresses.len() {
            0 => Err(DialError::Unresolved),
            1..=MAX_ANSWERS => Ok(addresses),
            _ => Err(Denied::TooManyAnswers.into()),
        }
    }
}

fn count(error: &DialError) {
    if let DialError::Denied(denied) = error {
        metrics::counter!("probe_denied_total", "reason" => denied.as_str()).increment(1);
        tracing::warn!(reason = denied.as_str(), "a target was refused");
    }
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.use_hosts_file = ResolveHosts::Never;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.timeout = RESOLVE_TIMEOUT;
    options.attempts = 1;
    // One lookup a dial; an answer from before is nobody's answer now.
    options.cache_size = 0;
    options
}

#[expect(
    clippy::disallowed_methods,
    reason = "SSRF-07: this is the one place, and the address has been judged"
)]
async fn connect(address: SocketAddr) -> Result<TcpStream, DialError> {
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
        .await
        .map_err(|_| DialError::TimedOut)?
        .map_err(DialError::Connect)?;
    let peer = stream.peer_addr().map_err(DialError::Connect)?;
    if peer == address {
        Ok(stream)
    } else {
        Err(Denied::PeerChanged.into())
    }
}

/// The addresses of this machine's interfaces, as they are now.
fn own_addresses() -> io::Result<Vec<IpAddr>> {
    let interfaces = nix::ifaddrs::getifaddrs()?;
    Ok(interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
        })
        .collect())
}
