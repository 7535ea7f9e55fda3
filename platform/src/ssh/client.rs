//! A login to a node, over a connection that the guarded dial made, with the host key that was
//! pinned when the node was enrolled. Runs scripts through `sh -s`: a script travels on standard
//! input, so it is in no process list.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, AuthResult, Handle};
use russh::keys::PublicKeyOrCertificate;
use russh::keys::ssh_key::{Algorithm, Certificate, HashAlg, PrivateKey, PublicKey};
use russh::{ChannelMsg, Disconnect, Preferred, cipher, kex};
use tokio::net::TcpStream;

use super::AgentCredentials;

/// Handshake and authentication together.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);
/// A saying of goodbye that nobody waits for.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// A node that says nothing for this long, three times, is gone.
const KEEPALIVE: Duration = Duration::from_secs(5);
const OUTPUT_LIMIT_BYTES: usize = 64 * 1024;
const LOGIN_NAME: &str = "root";

/// Why something could not be done on a node.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    #[error("the node shows another host key than the one it was enrolled with")]
    HostKey,
    #[error("the node refused Berth's certificate")]
    LoginRefused,
    #[error("{0} took longer than {1:?}")]
    TimedOut(&'static str, Duration),
    #[error("the connection broke")]
    Broken(#[source] russh::Error),
    #[error("the node ended the connection")]
    Ended,
    #[error("the script printed more than {OUTPUT_LIMIT_BYTES} bytes")]
    OutputTooLarge,
    #[error("the pinned host key or the credentials cannot be read")]
    Credentials(#[from] russh::keys::ssh_key::Error),
}

/// What a script printed and how it ended. The texts come from the node: never shown to a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub status: u32,
    pub stdout: String,
    pub stderr: String,
}

/// One login. Dropping it ends the connection.
pub struct Session {
    handle: Handle<Pinned>,
}

impl Session {
    /// Logs in as root. `host_key`: algorithm and key data, as the node was enrolled with.
    pub async fn open(
        stream: TcpStream,
        host_key: &str,
        credentials: &AgentCredentials,
    ) -> Result<Self, SshError> {
        tokio::time::timeout(LOGIN_TIMEOUT, log_in(stream, host_key, credentials))
            .await
            .map_err(|_| SshError::TimedOut("logging in", LOGIN_TIMEOUT))?
    }

    /// Runs a script to its end. Dropping the future leaves the script without anybody to talk
    /// to, so a script must be one that may stop anywhere and be run again.
    pub async fn run(&self, script: &str, limit: Duration) -> Result<Output, SshError> {
        tokio::time::timeout(limit, self.run_to_end(script))
            .await
            .map_err(|_| SshError::TimedOut("the script", limit))?
    }

    /// Says goodbye, so that the node's log shows an orderly end.
    pub async fn close(self) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "", "");
        if !matches!(
            tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await,
            Ok(Ok(()))
        ) {
            tracing::debug!("the node did not hear the goodbye");
        }
    }

    async fn run_to_end(&self, script: &str) -> Result<Output, SshError> {
        let mut channel = self.handle.channel_open_session().await.map_err(broken)?;
        channel
            .exec(true, "exec /bin/sh -s")
            .await
            .map_err(broken)?;
        channel.data(script.as_bytes()).await.map_err(broken)?;
        channel.eof().await.map_err(broken)?;
        let (mut stdout, mut stderr, mut status) = (Vec::new(), Vec::new(), None);
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => stdout.extend_from_slice(&data),
                ChannelMsg::ExtendedData { data, .. } => stderr.extend_from_slice(&data),
                // Data may still follow the status; the end of the channel is the end.
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                _ => {}
            }
            if stdout.len() + stderr.len() > OUTPUT_LIMIT_BYTES {
                return Err(SshError::OutputTooLarge);
            }
        }
        Ok(Output {
            status: status.ok_or(SshError::Ended)?,
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        })
    }
}

async fn log_in(
    stream: TcpStream,
    host_key: &str,
    credentials: &AgentCredentials,
) -> Result<Session, SshError> {
    let pinned = PublicKey::from_openssh(host_key)?;
    let key = PrivateKey::from_openssh(credentials.private_key.as_str())?;
    let certificate = Certificate::from_openssh(&credentials.certificate)?;
    let config = Arc::new(config(&pinned));
    let mut handle = client::connect_stream(config, stream, Pinned { key: pinned })
        .await
        .map_err(broken)?;
    let answer = handle
        .authenticate_openssh_cert(LOGIN_NAME, Arc::new(key), certificate)
        .await
        .map_err(broken)?;
    match answer {
        AuthResult::Success => Ok(Session { handle }),
        // A refusal names what else might be tried; only a connection that ended names nothing.
        AuthResult::Failure {
            remaining_methods, ..
        } if remaining_methods.is_empty() => Err(SshError::Ended),
        AuthResult::Failure { .. } => Err(SshError::LoginRefused),
    }
}

fn broken(error: russh::Error) -> SshError {
    match error {
        russh::Error::UnknownKey => SshError::HostKey,
        error => SshError::Broken(error),
    }
}

/// Modern algorithms only, and of host keys the kind that was pinned: a node with several must
/// show that one.
fn config(pinned: &PublicKey) -> client::Config {
    let host_keys = match pinned.algorithm() {
        Algorithm::Rsa { .. } => [HashAlg::Sha512, HashAlg::Sha256]
            .map(|hash| Algorithm::Rsa { hash: Some(hash) })
            .to_vec(),
        other => vec![other],
    };
    client::Config {
        preferred: Preferred {
            kex: Cow::Borrowed(&[
                kex::MLKEM768X25519_SHA256,
                kex::CURVE25519,
                kex::CURVE25519_PRE_RFC_8731,
                kex::EXTENSION_SUPPORT_AS_CLIENT,
                kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
            ]),
            key: Cow::Owned(host_keys),
            cipher: Cow::Borrowed(&[cipher::CHACHA20_POLY1305, cipher::AES_256_GCM]),
            ..Preferred::DEFAULT
        },
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 3,
        nodelay: true,
        ..client::Config::default()
    }
}

/// Accepts one host key.
struct Pinned {
    key: PublicKey,
}

impl client::Handler for Pinned {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.key_data() == self.key.key_data(),
            PublicKeyOrCertificate::Certificate(_) => false,
        })
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
