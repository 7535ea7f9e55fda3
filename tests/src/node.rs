//! A login to a simulated node as Berth itself logs in: guarded dial, pinned host key, certificate
//! of the stack's own authority.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use platform::dial::Dialer;
use platform::kms::Keyring;
use platform::ssh::{Authority, Output, Session, SshError};
use time::OffsetDateTime;

use crate::Stack;

/// One node and what opens it.
#[derive(Debug)]
pub struct Node {
    dialer: Dialer,
    pub authority: Authority,
    pub host: String,
    pub host_key: String,
}

impl Node {
    /// A node by its name.
    pub async fn of(stack: &Stack, name: &str) -> Self {
        let nodes = stack.nodes().await;
        let node = nodes.iter().find(|node| node["name"] == name);
        let node = node.expect("the stack has such a node");
        let text = |field: &str| node[field].as_str().expect(field).to_owned();
        let host = text("host");
        let address: IpAddr = host.parse().expect("an address");
        let keyring = Keyring::open_or_create(&stack.dir().join("data/keyring"));
        Self {
            dialer: Dialer::new(vec![IpNet::from(address)]).expect("a dialler"),
            authority: Authority::open(&keyring.expect("a keyring")).expect("an authority"),
            host_key: text("host_key"),
            host,
        }
    }

    /// Logs in with a certificate of `authority`, expecting `host_key`.
    pub async fn open(&self, authority: &Authority, host_key: &str) -> Result<Session, SshError> {
        let credentials = authority.agent_credentials(now()).expect("signed");
        let stream = self.dialer.connect(&self.host, 22).await;
        Session::open(stream.expect("the node listens"), host_key, &credentials).await
    }

    /// Runs a script as Berth would.
    pub async fn run(&self, script: &str, limit: Duration) -> Result<Output, SshError> {
        let session = self.open(&self.authority, &self.host_key).await?;
        let output = session.run(script, limit).await;
        session.close().await;
        output
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "nodes read this machine's clock, so the tests do"
)]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
