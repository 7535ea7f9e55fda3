use super::*;

const PROXY: &str = "10.0.0.1";

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn trusted() -> Vec<IpNet> {
    ["10.0.0.0/8", "2001:db8:ffff::/48"]
        .map(|range| range.parse().expect("a range"))
        .to_vec()
}

fn seen(peer: &str, x_forwarded_for: &[&str], forwarded: &[&str]) -> String {
    let reported = Reported {
        x_forwarded_for,
        forwarded,
    };
    client(ip(peer), &trusted(), reported).to_string()
}

/// What the proxy appended is 203.0.113.7; everything else was sent by that caller.
#[test]
fn rl_05_ten_spoofs_change_nothing() {
    let spoofs: [(&[&str], &[&str]); 12] = [
        (&["1.2.3.4, 203.0.113.7"], &[]),
        (&["1.2.3.4", "203.0.113.7"], &[]),
        (&["10.0.0.9, 203.0.113.7"], &[]),
        (&["127.0.0.1,::1,unknown, 203.0.113.7"], &[]),
        (&["1.2.3.4:80, 203.0.113.7:4711"], &[]),
        (&[" ,, \t, 203.0.113.7"], &[]),
        (&["::ffff:1.2.3.4, ::ffff:203.0.113.7"], &[]),
        (&["203.0.113.8, 203.0.113.7, 10.0.0.2"], &[]),
        (&[], &["for=1.2.3.4, for=203.0.113.7"]),
        (&[], &["for=1.2.3.4;for=10.0.0.9, For=\"203.0.113.7:4711\""]),
        (&[], &["for=\"1.2.3.4, for=5.6.7.8\", for=203.0.113.7"]),
        (
            &[],
            &[
                "for=\"[::ffff:1.2.3.4]\"",
                "proto=https;for=203.0.113.7;by=x",
            ],
        ),
    ];
    for (list, elements) in spoofs {
        assert_eq!(
            seen(PROXY, list, elements),
            "203.0.113.7",
            "{list:?} {elements:?}"
        );
    }
}

#[test]
fn rl_05_only_a_trusted_peer_is_believed() {
    assert_eq!(seen("198.51.100.1", &["1.2.3.4"], &[]), "198.51.100.1");
    assert_eq!(seen("198.51.100.1", &[], &["for=1.2.3.4"]), "198.51.100.1");
    assert_eq!(seen(PROXY, &[], &[]), PROXY);
    assert_eq!(seen("::ffff:10.0.0.1", &["1.2.3.4"], &[]), "1.2.3.4");
    assert_eq!(
        seen("2001:db8:ffff::1", &["2001:db8::5"], &[]),
        "2001:db8::5"
    );
    let nobody = Reported {
        x_forwarded_for: &["1.2.3.4"],
        forwarded: &[],
    };
    assert_eq!(client(ip(PROXY), &[], nobody), ip(PROXY));
}

#[test]
fn rl_05_what_cannot_be_read_counts_as_the_proxys() {
    for last in [
        "",
        "unknown",
        "_hidden",
        "999.1.1.1",
        "1.2.3.4 5.6.7.8",
        "[::1",
    ] {
        assert_eq!(
            seen(PROXY, &[&format!("1.2.3.4, {last}")], &[]),
            PROXY,
            "{last}"
        );
        let element = format!("for=1.2.3.4, for={last}");
        assert_eq!(seen(PROXY, &[], &[&element]), PROXY, "{last}");
    }
    assert_eq!(seen(PROXY, &[], &["for=1.2.3.4;for=5.6.7.8"]), PROXY);
    assert_eq!(seen(PROXY, &[], &["proto=https"]), PROXY);
}

#[test]
fn rl_05_two_headers_that_disagree_count_as_the_proxys() {
    assert_eq!(seen(PROXY, &["203.0.113.7"], &["for=1.2.3.4"]), PROXY);
    assert_eq!(
        seen(PROXY, &["203.0.113.7"], &["for=203.0.113.7"]),
        "203.0.113.7"
    );
}

#[test]
fn rl_05_a_chain_of_our_own_proxies_ends_at_the_first_hop() {
    assert_eq!(
        seen(PROXY, &["203.0.113.7, 10.0.0.3, 10.0.0.2"], &[]),
        "203.0.113.7"
    );
    assert_eq!(seen(PROXY, &["10.0.0.3, 10.0.0.2"], &[]), "10.0.0.3");
    assert_eq!(
        seen(PROXY, &[], &["for=\"[2001:db8::17]:4711\", for=10.0.0.2"]),
        "2001:db8::17"
    );
}

#[test]
fn rl_05_mapped_addresses_are_v4_and_a_64_is_one_caller() {
    let of = |text: &str| networks(ip(text));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_eq!(of("192.0.2.1"), [("192.0.2.1/32".parse().expect("v4"), 1)]);
    assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
    let near = of("2001:db8:1:2::1");
    let far = of("2001:db8:1:3::1");
    assert_ne!(near[0], far[0], "another /64");
    assert_eq!(near[1..], far[1..], "the same /56 and /48");
    assert_eq!(
        near.iter().map(|(_, times)| *times).collect::<Vec<_>>(),
        [1, 4, 16]
    );
}
