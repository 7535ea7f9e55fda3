use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;

mod urls;

fn everything() -> NetGuard {
    NetGuard::new(vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()])
}

fn judge(guard: &NetGuard, address: &str) -> Result<(), Denied> {
    guard.judge_address(address.parse().unwrap(), &[])
}

/// Ranges that stay denied although everything is allowed, written out apart from the code's.
const DENIED_V4: &[&str] = &[
    "0.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];
const LIFTED_V4: &[&str] = &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
const DENIED_V6: &[&str] = &[
    "::/96",
    "::1/128",
    "::ffff:0:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "5f00::/16",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
];
const LIFTED_V6: &[&str] = &["fc00::/7"];

/// First, last, one before and one after of a range, as far as they exist.
fn edges(range: &str) -> Vec<IpAddr> {
    let network: IpNet = range.parse().unwrap();
    match network {
        IpNet::V4(n) => {
            let (first, last) = (n.network().to_bits(), n.broadcast().to_bits());
            [
                Some(first),
                Some(last),
                first.checked_sub(1),
                last.checked_add(1),
            ]
            .into_iter()
            .flatten()
            .map(|bits| Ipv4Addr::from_bits(bits).into())
            .collect()
        }
        IpNet::V6(n) => {
            let (first, last) = (n.network().to_bits(), n.broadcast().to_bits());
            [
                Some(first),
                Some(last),
                first.checked_sub(1),
                last.checked_add(1),
            ]
            .into_iter()
            .flatten()
            .map(|bits| Ipv6Addr::from_bits(bits).into())
            .collect()
        }
    }
}

fn inside(address: IpAddr, ranges: &[&str]) -> bool {
    ranges
        .iter()
        .any(|range| range.parse::<IpNet>().unwrap().contains(&address))
}

/// What must come out when everything is allowed.
fn passes(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => !inside(address, DENIED_V4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => passes(v4.into()),
            None => {
                (inside(address, &["2000::/3"]) || inside(address, LIFTED_V6))
                    && !inside(address, DENIED_V6)
            }
        },
    }
}

#[test]
fn ssrf_01_every_cidr_edge() {
    let (all, none) = (everything(), NetGuard::new(vec![]));
    let ranges = [
        DENIED_V4,
        LIFTED_V4,
        DENIED_V6,
        LIFTED_V6,
        &["2000::/3", "::ffff:0:0/96"],
    ];
    let mut checked = 0;
    for address in ranges.concat().iter().flat_map(|range| edges(range)) {
        assert_eq!(
            all.judge_address(address, &[]).is_ok(),
            passes(address),
            "{address}"
        );
        assert!(none.judge_address(address, &[]).is_err(), "{address}");
        checked += 1;
    }
    assert!(checked >= 140, "{checked}");
}

#[test]
fn ssrf_01_mapped_addresses_are_judged_as_what_they_reach() {
    let guard = NetGuard::new(vec!["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(judge(&guard, "::ffff:10.1.2.3"), Ok(()));
    assert_eq!(judge(&guard, "::ffff:127.0.0.1"), Err(Denied::Loopback));
    assert_eq!(
        judge(&guard, "::ffff:169.254.169.254"),
        Err(Denied::Metadata)
    );
    assert_eq!(judge(&guard, "::ffff:8.8.8.8"), Err(Denied::NotAllowed));
}

#[test]
fn ssrf_01_no_cidr_lifts_what_is_denied_for_good() {
    use Denied::{Embedded, LinkLocal, Loopback, Metadata, Multicast, Reserved, Unspecified};
    for (address, denied) in [
        ("0.0.0.0", Unspecified),
        ("0.1.2.3", Unspecified),
        ("127.0.0.1", Loopback),
        ("127.255.255.254", Loopback),
        ("169.254.0.1", LinkLocal),
        ("224.0.0.1", Multicast),
        ("239.255.255.255", Multicast),
        ("240.0.0.1", Reserved),
        ("255.255.255.255", Reserved),
        ("169.254.169.254", Metadata),
        ("169.254.170.2", Metadata),
        ("168.63.129.16", Metadata),
        ("100.100.100.200", Metadata),
        ("192.0.0.192", Metadata),
        ("fd00:ec2::254", Metadata),
        ("fd20:ce::254", Metadata),
        ("::", Unspecified),
        ("::1", Loopback),
        ("fe80::1", LinkLocal),
        ("febf::1", LinkLocal),
        ("ff02::1", Multicast),
        ("::127.0.0.1", Embedded),
        ("::ffff:0:127.0.0.1", Embedded),
        ("64:ff9b::127.0.0.1", Embedded),
        ("64:ff9b:1::a00:1", Embedded),
        ("2002:7f00:1::", Embedded),
        ("2001:0:1::7f00:1", Embedded),
        ("2606:4700::5efe:7f00:1", Embedded),
        ("fd12::200:5efe:7f00:1", Embedded),
    ] {
        let exact = IpNet::from(address.parse::<IpAddr>().unwrap());
        for guard in [
            everything(),
            NetGuard::new(vec![exact]),
            NetGuard::new(vec![]),
        ] {
            assert_eq!(judge(&guard, address), Err(denied), "{address}");
        }
    }
}

/// Cases that two published filters carry in their own tests: smokescreen (Stripe) and `AntiSSRF`
/// (Microsoft).
#[test]
fn ssrf_01_published_cases() {
    let guard = everything();
    for denied in [
        "0.0.0.0",
        "127.0.0.1",
        "127.1.2.3",
        "169.254.169.254",
        "100.64.0.1",
        "100.127.255.254",
        "192.0.0.8",
        "192.0.0.170",
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.255",
        "224.0.0.251",
        "255.255.255.255",
        "240.0.0.0",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:a9fe:a9fe::1",
        "2002:c0a8:1::",
        "2620:4f:8000::1",
        "3fff::1",
        "5f00::1",
        "fe80::1",
        "fec0::1",
        "ff01::1",
        "ff02::fb",
    ] {
        assert!(judge(&guard, denied).is_err(), "{denied}");
    }
    for passed in [
        "8.8.8.8",
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2001:4860:4860::8888",
        "2a00:1450:4001::1",
        "2001:200::1",
        "2003::1",
    ] {
        assert_eq!(judge(&guard, passed), Ok(()), "{passed}");
    }
}

#[test]
fn ssrf_01_this_machine_is_never_a_node() {
    let guard = NetGuard::new(vec!["10.0.0.0/8".parse().unwrap()]);
    let own = ["10.0.0.7".parse().unwrap(), "fe80::7".parse().unwrap()];
    let judge = |address: &str| guard.judge_address(address.parse().unwrap(), &own);
    assert_eq!(judge("10.0.0.7"), Err(Denied::OwnAddress));
    assert_eq!(judge("::ffff:10.0.0.7"), Err(Denied::OwnAddress));
    assert_eq!(judge("10.0.0.8"), Ok(()));
}

#[test]
fn ssrf_02_denied_names() {
    let guard = everything();
    for name in [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "a.b.LocalHost.",
        "metadata",
        "Metadata.",
        "metadata.google.internal",
        "METADATA.GOOGLE.INTERNAL.",
        "internal",
        "instance-data.ec2.internal",
        "anything.internal",
    ] {
        let target = Target::parse(name).unwrap();
        assert_eq!(guard.judge(&target, 22), Err(Denied::Name), "{name}");
    }
    for name in [
        "gpu-1.example.com",
        "localhost.example.com",
        "notlocalhost",
        "metadata.example",
        "internal.example",
    ] {
        let target = Target::parse(name).unwrap();
        assert_eq!(guard.judge(&target, 22), Ok(()), "{name}");
        assert_eq!(
            NetGuard::new(vec![]).judge(&target, 22),
            Err(Denied::NotAllowed)
        );
    }
}

#[test]
fn ssrf_04_ports() {
    let guard = NetGuard::new(vec!["10.0.0.0/8".parse().unwrap()]);
    let target = Target::parse("10.0.0.8").unwrap();
    for port in 0..=u16::MAX {
        assert_eq!(guard.judge(&target, port).is_ok(), port == 22, "{port}");
    }
}

#[test]
fn ssrf_06_every_refusal_reads_the_same() {
    use strum::VariantArray as _;
    let texts: std::collections::BTreeSet<_> =
        Denied::VARIANTS.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 1);
    let labels: std::collections::BTreeSet<_> = Denied::VARIANTS
        .iter()
        .map(|denied| denied.as_str())
        .collect();
    assert_eq!(labels.len(), Denied::VARIANTS.len());
}

proptest! {
    #[test]
    fn ssrf_01_random_v4(bits: u32) {
        let address = IpAddr::from(Ipv4Addr::from_bits(bits));
        prop_assert_eq!(everything().judge_address(address, &[]).is_ok(), passes(address));
    }

    /// Half of the addresses lie near a range's edge; ISATAP's shape is apart.
    #[test]
    fn ssrf_01_random_v6(bits: u128, range in prop::sample::select(DENIED_V6), near in -300_i128..300, pick: bool) {
        let network: ipnet::Ipv6Net = range.parse().unwrap();
        let bits = if pick { bits } else { network.network().to_bits().wrapping_add_signed(near) };
        let address = Ipv6Addr::from_bits(bits);
        let isatap = matches!(address.segments(), [_, _, _, _, 0 | 0x200, 0x5efe, ..]);
        prop_assume!(!isatap);
        let address = IpAddr::from(address);
        prop_assert_eq!(everything().judge_address(address, &[]).is_ok(), passes(address));
    }

    /// Nothing outside the operator's networks ever passes.
    #[test]
    fn ssrf_01_only_inside_the_allowed_networks(bits: u32, network: u32, length in 1_u8..=32) {
        let allowed = ipnet::Ipv4Net::new(Ipv4Addr::from_bits(network), length).unwrap();
        let address = Ipv4Addr::from_bits(bits);
        let guard = NetGuard::new(vec![allowed.into()]);
        if guard.judge_address(address.into(), &[]).is_ok() {
            prop_assert!(allowed.contains(&address) && passes(address.into()));
        }
    }

    #[test]
    fn ssrf_02_any_text_becomes_a_judged_target_or_nothing(text in "\\PC{0,40}|[0-9a-fx.:%@/\\\\#?-]{0,24}") {
        let guard = NetGuard::new(vec!["10.0.0.0/8".parse().unwrap()]);
        if let Ok(target) = Target::parse(&text)
            && let (Ok(()), Target::Address(address)) = (guard.judge(&target, 22), &target)
        {
            prop_assert!(inside(*address, &["10.0.0.0/8", "::ffff:10.0.0.0/104"]));
        }
    }
}
