//! Which targets Berth may open connections to (SSRF): node addresses come from operators and
//! from the DNS, and neither may lead Berth to itself, to a metadata service or to a stranger.
//!
//! Three rules, the first that speaks decides: what no setting lifts is denied; what is outside
//! the operator's networks is denied (none given: everything); of what is left, addresses for
//! special uses are denied, but private ones (RFC 1918, RFC 4193) pass, since that is where GPU
//! nodes live.
//!
//! A judgement holds for the address that was judged, at that moment: `platform::dial` judges
//! every answer of the DNS again and connects to the very address that passed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use strum::{IntoStaticStr, VariantArray};

mod ranges;
mod target;
#[cfg(test)]
mod tests;

pub use target::Target;

/// Ports of nodes that may be dialled: SSH. No agent listens on nodes, and nothing that Berth
/// says to a node is HTTP; whoever adds such a speaker adds its port.
pub const NODE_PORTS: &[u16] = &[22];

/// Why a target was refused; a label for metrics and logs. All of them read the same, so that an
/// answer does not tell what is behind an address.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray, thiserror::Error,
)]
#[strum(serialize_all = "snake_case")]
#[error("the target is not an address that nodes may have")]
pub enum Denied {
    /// Neither an address nor a host name.
    Malformed,
    /// A name that leads to a machine's own services.
    Name,
    Port,
    Unspecified,
    Loopback,
    LinkLocal,
    Multicast,
    /// 240.0.0.0/4 with the broadcast address.
    Reserved,
    /// A metadata service of a cloud.
    Metadata,
    /// An IPv6 address that carries an IPv4 one.
    Embedded,
    /// An address of this very machine.
    OwnAddress,
    /// Outside the networks that the operator gave.
    NotAllowed,
    /// Inside them, but set aside for a special use.
    SpecialUse,
    /// The name has more addresses than a machine has.
    TooManyAnswers,
    /// The connection's other end is not the address that was judged.
    PeerChanged,
}

impl Denied {
    /// The label's value.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The judge, with what the operator allows.
#[derive(Debug, Clone)]
pub struct NetGuard {
    allowed: Vec<IpNet>,
}

impl NetGuard {
    /// `allowed`: the networks that nodes live in; none allows nothing.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Judges what can be judged without asking the DNS: port, name, or literal address.
    pub fn judge(&self, target: &Target, port: u16) -> Result<(), Denied> {
        if !NODE_PORTS.contains(&port) {
            return Err(Denied::Port);
        }
        match target {
            Target::Address(address) => self.judge_address(*address, &[]),
            Target::Name(name) if ranges::is_denied_name(name) => Err(Denied::Name),
            Target::Name(_) if self.allowed.is_empty() => Err(Denied::NotAllowed),
            Target::Name(_) => Ok(()),
        }
    }

    /// Judges one address. `own`: the addresses of this machine, which are never nodes.
    pub fn judge_address(&self, address: IpAddr, own: &[IpAddr]) -> Result<(), Denied> {
        let address = unmapped(address);
        let (hard, soft) = match address {
            IpAddr::V4(v4) => (hard_v4(v4), ranges::is_special_v4(v4)),
            IpAddr::V6(v6) => (hard_v6(v6), ranges::is_special_v6(v6)),
        };
        if let Some(denied) = hard {
            return Err(denied);
        }
        if own.iter().any(|own| unmapped(*own) == address) {
            return Err(Denied::OwnAddress);
        }
        if !self
            .allowed
            .iter()
            .any(|network| network.contains(&address))
        {
            return Err(Denied::NotAllowed);
        }
        if soft && !ranges::is_private(address) {
            return Err(Denied::SpecialUse);
        }
        Ok(())
    }
}

/// Judges an address that somebody's document named, where only the public internet is meant: no
/// network of the operator's, and nothing for a special use.
pub fn judge_public(address: IpAddr) -> Result<(), Denied> {
    let address = unmapped(address);
    let (hard, soft) = match address {
        IpAddr::V4(v4) => (hard_v4(v4), ranges::is_special_v4(v4)),
        IpAddr::V6(v6) => (hard_v6(v6), ranges::is_special_v6(v6)),
    };
    match hard {
        Some(denied) => Err(denied),
        None if soft => Err(Denied::SpecialUse),
        None => Ok(()),
    }
}

/// Judges an address of a server that the operator himself named, wherever it is: only what is
/// never such a server is refused.
pub fn judge_configured(address: IpAddr) -> Result<(), Denied> {
    let hard = match unmapped(address) {
        IpAddr::V4(v4) => hard_v4(v4),
        IpAddr::V6(v6) => hard_v6(v6),
    };
    hard.filter(|denied| *denied != Denied::Loopback)
        .map_or(Ok(()), Err)
}

/// `::ffff:a.b.c.d` reaches `a.b.c.d`, so it is judged as that.
fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
    }
}

fn hard_v4(address: Ipv4Addr) -> Option<Denied> {
    if ranges::METADATA_V4.contains(&address) {
        return Some(Denied::Metadata);
    }
    match address.octets() {
        [0, ..] => Some(Denied::Unspecified),
        [127, ..] => Some(Denied::Loopback),
        [169, 254, ..] => Some(Denied::LinkLocal),
        [224..=239, ..] => Some(Denied::Multicast),
        [240..=255, ..] => Some(Denied::Reserved),
        _ => None,
    }
}

fn hard_v6(address: Ipv6Addr) -> Option<Denied> {
    if ranges::METADATA_V6.contains(&address) {
        return Some(Denied::Metadata);
    }
    if address.is_unspecified() {
        return Some(Denied::Unspecified);
    }
    if address.is_loopback() {
        return Some(Denied::Loopback);
    }
    match address.segments() {
        [0xfe80..=0xfebf, ..] => Some(Denied::LinkLocal),
        [0xff00..=0xffff, ..] => Some(Denied::Multicast),
        _ if ranges::embeds_v4(address) => Some(Denied::Embedded),
        _ => None,
    }
}
