//! Against a name server in this process that answers as it is told.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::A;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use tokio::net::{TcpListener, UdpSocket};

use super::*;

type Answers = Arc<Mutex<HashMap<String, Vec<Vec<Ipv4Addr>>>>>;

/// Serves each name's lists of addresses in turn, with a time to live of zero.
async fn name_server(answers: Answers, asked: Arc<AtomicUsize>) -> NameServerConfig {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut packet = [0; 512];
        loop {
            let (length, peer) = socket.recv_from(&mut packet).await.unwrap();
            let query = Message::from_vec(&packet[..length]).unwrap();
            let question = query.queries[0].clone();
            let mut reply = query.clone();
            reply.metadata.message_type = MessageType::Response;
            reply.metadata.response_code = ResponseCode::NoError;
            reply.additionals.clear();
            if question.query_type() == RecordType::A {
                asked.fetch_add(1, Ordering::SeqCst);
                let name = question.name().to_lowercase().to_string();
                let list = {
                    let mut answers = answers.lock().unwrap();
                    answers.get_mut(&name).map(|lists| {
                        lists.rotate_left(1);
                        lists.last().cloned().unwrap()
                    })
                };
                for ip in list.unwrap_or_default() {
                    let data = RData::A(A(ip));
                    reply
                        .answers
                        .push(Record::from_rdata(question.name().clone(), 0, data));
                }
            }
            socket
                .send_to(&reply.to_vec().unwrap(), peer)
                .await
                .unwrap();
        }
    });
    let mut connection = ConnectionConfig::udp();
    connection.port = address.port();
    NameServerConfig::new(address.ip(), true, vec![connection])
}

async fn dialer(allowed: &str, names: &[(&str, &[&[Ipv4Addr]])]) -> (Dialer, Arc<AtomicUsize>) {
    let answers = names
        .iter()
        .map(|(name, lists)| {
            (
                format!("{name}."),
                lists.iter().map(|l| l.to_vec()).collect(),
            )
        })
        .collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let server = name_server(Arc::new(Mutex::new(answers)), asked.clone()).await;
    let allowed = allowed
        .split(' ')
        .filter(|n| !n.is_empty())
        .map(|n| n.parse().unwrap());
    let dialer = Dialer::with_name_servers(allowed.collect(), vec![server]).unwrap();
    (dialer, asked)
}

fn denied(result: Result<TcpStream, DialError>) -> Denied {
    match result {
        Err(DialError::Denied(denied)) => denied,
        other => panic!("{other:?}"),
    }
}

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
const NODE: Ipv4Addr = Ipv4Addr::new(10, 99, 99, 2);

#[tokio::test]
async fn ssrf_03_any_denied_answer_rejects() {
    let many = [NODE; 9];
    let (dialer, _) = dialer(
        "10.99.99.0/24",
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
        assert_eq!(denied(dialer.connect(name, 22).await), class, "{name}");
    }
    let unknown = dialer.connect("unknown.example", 22).await;
    assert!(matches!(unknown, Err(DialError::Unresolved)), "{unknown:?}");
}

/// The name means an allowed address at one lookup and this machine at the next. Whatever the
/// first answer was, there is one lookup a dial and nothing ever reaches this machine.
#[tokio::test]
async fn ssrf_03_rebinding_never_reaches_this_machine() {
    const DIALS: usize = 1000;
    let canary = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let hits = Arc::new(AtomicUsize::new(0));
    let counted = hits.clone();
    tokio::spawn(async move {
        while canary.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    // No allowed address is dialled here: both lists hold one that is not.
    let (dialer, asked) = dialer(
        "10.99.99.0/24",
        &[(
            "rebind.example",
            &[&[NODE, LOOPBACK], &[LOOPBACK, NODE], &[LOOPBACK]],
        )],
    )
    .await;
    for _ in 0..DIALS {
        assert_eq!(
            denied(dialer.connect("rebind.example", 22).await),
            Denied::Loopback
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), DIALS);
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn ssrf_05_each_dial_judges_again() {
    let (dialer, asked) = dialer(
        "10.99.99.0/24",
        &[(
            "moving.example",
            &[&[LOOPBACK], &[Ipv4Addr::new(192, 168, 0, 1)]],
        )],
    )
    .await;
    assert_eq!(
        denied(dialer.connect("moving.example", 22).await),
        Denied::Loopback
    );
    assert_eq!(
        denied(dialer.connect("moving.example", 22).await),
        Denied::NotAllowed
    );
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn ssrf_04_other_ports_are_refused_before_anything_is_asked() {
    let (dialer, asked) = dialer("10.99.99.0/24", &[("node.example", &[&[NODE]])]).await;
    for port in [0, 21, 23, 80, 443, 2222, 5432, 6379, 7233, 8080] {
        assert_eq!(
            denied(dialer.connect("node.example", port).await),
            Denied::Port
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn ssrf_01_own_addresses_are_refused() {
    let own = own_addresses().unwrap();
    assert!(own.contains(&IpAddr::V4(LOOPBACK)));
    let (dialer, _) = dialer("0.0.0.0/0 ::/0", &[]).await;
    for address in own {
        denied(dialer.connect(&address.to_string(), 22).await);
    }
}

#[tokio::test]
async fn ssrf_06_an_empty_allowlist_denies_everything() {
    let (dialer, asked) = dialer("", &[("node.example", &[&[NODE]])]).await;
    for host in ["10.99.99.2", "8.8.8.8", "node.example"] {
        assert_eq!(
            denied(dialer.connect(host, 22).await),
            Denied::NotAllowed,
            "{host}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}
