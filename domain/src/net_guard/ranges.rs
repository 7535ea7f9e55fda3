//! The lists, after the IANA registries for special-purpose addresses (RFC 6890 and what
//! followed) and the address plans of the large clouds. IPv6 is an allowlist: what is not global
//! unicast, or is set aside within it, is special.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Prefix and its length in bits.
type V4 = (Ipv4Addr, u32);
type V6 = (Ipv6Addr, u32);

const fn v4(a: u8, b: u8, c: u8, length: u32) -> V4 {
    (Ipv4Addr::new(a, b, c, 0), length)
}

const fn v6(a: u16, b: u16, c: u16, length: u32) -> V6 {
    (Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

const SPECIAL_V4: &[V4] = &[
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    v4(169, 254, 0, 16),
    v4(172, 16, 0, 12),
    v4(192, 0, 0, 24),
    v4(192, 0, 2, 24),
    v4(192, 31, 196, 24),
    v4(192, 52, 193, 24),
    v4(192, 88, 99, 24),
    v4(192, 168, 0, 16),
    v4(192, 175, 48, 24),
    v4(198, 18, 0, 15),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(224, 0, 0, 4),
    v4(240, 0, 0, 4),
];
const PRIVATE_V4: &[V4] = &[v4(10, 0, 0, 8), v4(172, 16, 0, 12), v4(192, 168, 0, 16)];

const GLOBAL_V6: V6 = v6(0x2000, 0, 0, 3);
const SPECIAL_IN_GLOBAL_V6: &[V6] = &[
    v6(0x2001, 0, 0, 23),
    v6(0x2001, 0xdb8, 0, 32),
    v6(0x2002, 0, 0, 16),
    v6(0x2620, 0x4f, 0x8000, 48),
    v6(0x3fff, 0, 0, 20),
];
const PRIVATE_V6: V6 = v6(0xfc00, 0, 0, 7);

/// IPv4-compatible, IPv4-translated, both NAT64 prefixes, Teredo, 6to4.
const EMBEDDING_V6: &[V6] = &[
    v6(0, 0, 0, 96),
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96),
    v6(0x64, 0xff9b, 0, 96),
    v6(0x64, 0xff9b, 1, 48),
    v6(0x2001, 0, 0, 32),
    v6(0x2002, 0, 0, 16),
];

/// Metadata and platform services: most clouds, ECS task roles, Azure's wire server, Alibaba,
/// Oracle's bare metal.
pub(super) const METADATA_V4: &[Ipv4Addr] = &[
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
];
/// The same over IPv6, which sit inside the private range.
pub(super) const METADATA_V6: &[Ipv6Addr] = &[
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

fn in_v4(address: Ipv4Addr, (network, length): V4) -> bool {
    let mask = u32::MAX << (32 - length);
    address.to_bits() & mask == network.to_bits() & mask
}

fn in_v6(address: Ipv6Addr, (network, length): V6) -> bool {
    let mask = u128::MAX << (128 - length);
    address.to_bits() & mask == network.to_bits() & mask
}

pub(super) fn is_special_v4(address: Ipv4Addr) -> bool {
    SPECIAL_V4.iter().any(|range| in_v4(address, *range))
}

pub(super) fn is_special_v6(address: Ipv6Addr) -> bool {
    let set_aside = |range: &V6| in_v6(address, *range);
    !in_v6(address, GLOBAL_V6) || SPECIAL_IN_GLOBAL_V6.iter().any(set_aside)
}

/// Whether some gateway or tunnel would take an IPv4 address out of this one. ISATAP (RFC 5214)
/// may stand behind any prefix: the interface half says so.
pub(super) fn embeds_v4(address: Ipv6Addr) -> bool {
    EMBEDDING_V6.iter().any(|range| in_v6(address, *range))
        || matches!(address.segments(), [_, _, _, _, 0 | 0x200, 0x5efe, ..])
}

/// RFC 1918 and RFC 4193.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => PRIVATE_V4.iter().any(|range| in_v4(v4, *range)),
        IpAddr::V6(v6) => in_v6(v6, PRIVATE_V6),
    }
}

/// A name, in lower case and without a dot at its end, that means the machine itself or a cloud's
/// metadata service wherever it is resolved.
pub(super) fn is_denied_name(name: &str) -> bool {
    ["localhost", "internal"].into_iter().any(|suffix| {
        name.strip_suffix(suffix)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }) || name == "metadata"
}
