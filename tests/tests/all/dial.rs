//! The guarded dial against names that lie, and against a node of the stack.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::net_guard::Denied;
use ipnet::IpNet;
use platform::dial::DialError;
use tests::name_server::LyingNames;
use tests::stack;
use tokio::net::{TcpListener, TcpStream};

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// An address that nobody has; no test gets as far as dialling it.
const NODE: Ipv4Addr = Ipv4Addr::new(10, 99, 99, 2);

fn fleet() -> Vec<IpNet> {
    vec!["10.99.99.0/24".parse().unwrap()]
}

fn denied(result: Result<TcpStream, DialError>) -> Denied {
    match result {
        Err(DialError::Denied(denied)) => denied,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn ssrf_03_any_denied_answer_rejects() {
    let many = [NODE; 9];
    let names = LyingNames::serve(
        &fleet(),
        &[
            ("mixed.example", &[&[NODE, LOOPBACK]]),
            ("inside.example", &[&[LOOPBACK]]),
            ("outside.example", &[&[Ipv4Addr::new(8, 8, 8, 8)]]),
            ("metadata.example", &[&[Ipv4Addr::new(169, 254, 169, 254)]]),
            ("many.example", &[&many]),
        ],
    )
    .await;
    for (name, class) in [
        ("mixed.example", Denied::Loopback),
        ("inside.example", Denied::Loopback),
        ("outside.example", Denied::NotAllowed),
        ("metadata.example", Denied::Metadata),
        ("many.example", Denied::TooManyAnswers),
    ] {
        assert_eq!(
            denied(names.dialer.connect(name, 22).await),
            class,
            "{name}"
        );
    }
    let unknown = names.dialer.connect("unknown.example", 22).await;
    assert!(matches!(unknown, Err(DialError::Unresolved)), "{unknown:?}");
}

/// The name means a real node at one lookup and this machine at the next. There is one lookup a
/// dial, every connection is to the node, and none is ever tried to this machine: nothing listens
/// there, or a canary does, and both would show as something else than a refusal by the guard.
#[tokio::test(flavor = "multi_thread")]
async fn ssrf_03_rebinding_never_reaches_this_machine() {
    const DIALS: usize = 1000;
    let hits = canary().await;
    let nodes = stack().await.nodes().await;
    let node: Ipv4Addr = nodes[0]["host"].as_str().unwrap().parse().unwrap();
    let allowed = IpNet::from(IpAddr::V4(node));
    let names = LyingNames::serve(
        &[allowed],
        &[(
            "rebind.example",
            &[
                &[node],
                &[LOOPBACK],
                &[node, LOOPBACK],
                &[LOOPBACK, node],
                &[LOOPBACK],
            ],
        )],
    )
    .await;
    let mut connected = 0;
    for _ in 0..DIALS {
        match names.dialer.connect("rebind.example", 22).await {
            Ok(stream) => {
                assert_eq!(stream.peer_addr().unwrap(), (node, 22).into());
                connected += 1;
            }
            refused => assert_eq!(denied(refused), Denied::Loopback),
        }
    }
    assert_eq!(connected, DIALS / 5);
    assert_eq!(names.asked(), DIALS);
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

/// Counts connections to this machine's SSH port, where that port is to be had.
async fn canary() -> Arc<AtomicUsize> {
    let hits = Arc::new(AtomicUsize::new(0));
    if let Ok(listener) = TcpListener::bind((LOOPBACK, 22)).await {
        let counted = hits.clone();
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    hits
}

#[tokio::test]
async fn ssrf_05_each_dial_judges_again() {
    let elsewhere = Ipv4Addr::new(192, 168, 0, 1);
    let lists: &[&[Ipv4Addr]] = &[&[LOOPBACK], &[elsewhere]];
    let names = LyingNames::serve(&fleet(), &[("moving.example", lists)]).await;
    let dial = || names.dialer.connect("moving.example", 22);
    assert_eq!(denied(dial().await), Denied::Loopback);
    assert_eq!(denied(dial().await), Denied::NotAllowed);
    assert_eq!(names.asked(), 2);
}

#[tokio::test]
async fn ssrf_04_other_ports_are_refused_before_anything_is_asked() {
    let names = LyingNames::serve(&fleet(), &[("node.example", &[&[NODE]])]).await;
    for port in [0, 21, 23, 80, 443, 2222, 5432, 6379, 7233, 8080] {
        let result = names.dialer.connect("node.example", port).await;
        assert_eq!(denied(result), Denied::Port, "{port}");
    }
    assert_eq!(names.asked(), 0);
}

#[tokio::test]
async fn ssrf_01_own_addresses_are_refused() {
    let everywhere = ["0.0.0.0/0", "::/0"].map(|network| network.parse().unwrap());
    let names = LyingNames::serve(&everywhere, &[]).await;
    let mut tried = 0;
    for interface in nix::ifaddrs::getifaddrs().unwrap() {
        let Some(address) = interface.address else {
            continue;
        };
        let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        let v6 = address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip()));
        if let Some(own) = v4.or(v6) {
            denied(names.dialer.connect(&own.to_string(), 22).await);
            tried += 1;
        }
    }
    assert!(tried > 0);
}

#[tokio::test]
async fn ssrf_06_an_empty_allowlist_denies_everything() {
    let names = LyingNames::serve(&[], &[("node.example", &[&[NODE]])]).await;
    for host in ["10.99.99.2", "8.8.8.8", "node.example"] {
        let result = names.dialer.connect(host, 22).await;
        assert_eq!(denied(result), Denied::NotAllowed, "{host}");
    }
    assert_eq!(names.asked(), 0);
}
