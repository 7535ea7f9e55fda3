//! A name server that answers as it is told, for tests of what happens when names lie.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::A;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use ipnet::IpNet;
use platform::dial::Dialer;
use tokio::net::UdpSocket;

/// A dialler that asks only this server, and how often it asked for addresses.
#[derive(Debug)]
pub struct LyingNames {
    pub dialer: Dialer,
    asked: Arc<AtomicUsize>,
}

/// A name and the lists of addresses that it has in turn, each with a time to live of zero.
pub type Name<'a> = (&'a str, &'a [&'a [Ipv4Addr]]);

impl LyingNames {
    /// `allowed`: networks as in `NODE_PROBE_ALLOWED_CIDRS`.
    pub async fn serve(allowed: &[IpNet], names: &[Name<'_>]) -> Self {
        let answers = names
            .iter()
            .map(|(name, lists)| {
                let lists = lists.iter().map(|list| list.to_vec()).collect();
                (format!("{name}."), lists)
            })
            .collect();
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("bound");
        let asked = Arc::new(AtomicUsize::new(0));
        tokio::spawn(answer(socket, answers, asked.clone()));
        let mut connection = ConnectionConfig::udp();
        connection.port = address.port();
        let server = NameServerConfig::new(address.ip(), true, vec![connection]);
        let dialer = Dialer::with_name_servers(allowed.to_vec(), vec![server]);
        Self {
            dialer: dialer.expect("a resolver"),
            asked,
        }
    }

    /// Questions for IPv4 addresses so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn answer(
    socket: UdpSocket,
    mut answers: HashMap<String, Vec<Vec<Ipv4Addr>>>,
    asked: Arc<AtomicUsize>,
) {
    let mut packet = [0; 512];
    loop {
        let (length, peer) = socket.recv_from(&mut packet).await.expect("a packet");
        let mut reply = Message::from_vec(&packet[..length]).expect("a question");
        let question = reply.queries[0].clone();
        reply.metadata.message_type = MessageType::Response;
        reply.metadata.response_code = ResponseCode::NoError;
        reply.additionals.clear();
        if question.query_type() == RecordType::A {
            asked.fetch_add(1, Ordering::SeqCst);
            let name = question.name().to_lowercase().to_string();
            let addresses = answers.get_mut(&name).map(|lists| {
                lists.rotate_left(1);
                lists.last().cloned().unwrap_or_default()
            });
            for address in addresses.unwrap_or_default() {
                let name = question.name().clone();
                let record = Record::from_rdata(name, 0, RData::A(A(address)));
                reply.answers.push(record);
            }
        }
        let sent = reply.to_vec().expect("a reply");
        socket
            .send_to(&sent, peer)
            .await
            .expect("the peer is there");
    }
}
