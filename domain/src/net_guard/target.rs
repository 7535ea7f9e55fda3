//! A host as somebody wrote it, read the way a dialler would read it.

use std::net::IpAddr;

use super::Denied;

/// An address, or a name that is still to be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Address(IpAddr),
    /// Lower case, without a dot at the end.
    Name(String),
}

impl Target {
    /// Reads a host: an IPv4 or IPv6 address without brackets, or a name of letters, digits,
    /// hyphens and dots. The old spellings of IPv4 (decimal, octal, hexadecimal, short) become
    /// the address that a C library would dial. URLs, ports, user names and zones are refused.
    pub fn parse(host: &str) -> Result<Self, Denied> {
        if let Ok(address) = host.parse() {
            return Ok(Self::Address(address));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
        if host.is_empty() || host.len() > 253 || !host.bytes().all(plain) {
            return Err(Denied::Malformed);
        }
        match url::Host::parse(host).map_err(|_| Denied::Malformed)? {
            url::Host::Ipv4(v4) => Ok(Self::Address(v4.into())),
            url::Host::Ipv6(v6) => Ok(Self::Address(v6.into())),
            url::Host::Domain(name) => Self::name(&name),
        }
    }

    fn name(name: &str) -> Result<Self, Denied> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let sound = |label: &str| {
            (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
        };
        if name.split('.').all(sound) {
            Ok(Self::Name(name))
        } else {
            Err(Denied::Malformed)
        }
    }
}
