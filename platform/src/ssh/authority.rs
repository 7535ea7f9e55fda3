//! Berth's SSH user CA. Nodes trust its public key; who holds a certificate of it gets in for as
//! long as the certificate says, and no key of anybody is stored (SSH-04).

use std::net::IpAddr;

use domain::id::{AllocationId, UserId};
use domain::ssh_public_key::PublicKey;
use domain::unix_user;
use rand::RngExt as _;
use ssh_key::certificate::{Builder, CertType};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::kms::{Keyring, KeyringError, fresh_ssh_key};

#[cfg(test)]
mod tests;

/// The key's file in the keyring; the public half lies beside it for those who set up nodes.
const KEY_NAME: &str = "ssh_ca";
/// What a certificate gets when nothing is asked.
const DEFAULT_TTL_SECONDS: u32 = 15 * 60;
/// What it gets at most.
pub const MAX_TTL_SECONDS: u32 = 60 * 60;
/// A node's clock may be behind by this much.
const BACKDATE: Duration = Duration::seconds(60);
/// Life of Berth's own certificates: one try of an activity.
const AGENT_TTL: Duration = Duration::minutes(5);
/// As whom Berth logs in to nodes, and the principal that nodes expect of it.
const AGENT_PRINCIPAL: &str = "berth-agent";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("a certificate lives between 1 and {MAX_TTL_SECONDS} seconds")]
    Ttl,
    #[error("a request id has 1 to 128 letters, digits, hyphens, dots and underscores")]
    RequestId,
    #[error("the certificate cannot be signed")]
    Sign(#[from] ssh_key::Error),
}

/// Signs user certificates.
pub struct Authority {
    key: ssh_key::PrivateKey,
}

/// What a tenant asks for.
#[derive(Debug, Clone, Copy)]
pub struct CertificateRequest<'a> {
    pub public_key: &'a PublicKey,
    pub user: UserId,
    pub allocation: AllocationId,
    /// Id of the HTTP request; the last part of the certificate's key id.
    pub request_id: &'a str,
    /// `None`: 15 minutes.
    pub ttl_seconds: Option<u32>,
    /// The only address that may use it, if one is wanted.
    pub source_address: Option<IpAddr>,
    pub now: OffsetDateTime,
}

/// A signed certificate, and what an audit row needs of it.
#[derive(Debug, Clone)]
pub struct UserCertificate {
    /// The line of a `-cert.pub` file.
    pub openssh: String,
    pub serial: u64,
    pub key_id: String,
    pub principal: String,
    pub valid_after: OffsetDateTime,
    pub valid_before: OffsetDateTime,
}

/// A key pair that exists for one login of Berth's own, with its certificate.
pub struct AgentCredentials {
    pub(super) private_key: Zeroizing<String>,
    pub(super) certificate: String,
}

impl Authority {
    /// The authority of this keyring, made when there is none yet.
    pub fn open(keyring: &Keyring) -> Result<Self, KeyringError> {
        let key = keyring.ssh_key(KEY_NAME)?;
        let authority = Self { key };
        let line = authority.public_key_openssh() + "\n";
        keyring.publish(&format!("{KEY_NAME}.pub"), &line)?;
        Ok(authority)
    }

    /// The line of a `TrustedUserCAKeys` file.
    pub fn public_key_openssh(&self) -> String {
        // The text of an Ed25519 key has no part that could fail to be written.
        let key = ssh_key::PublicKey::from(self.key.public_key().key_data().clone());
        key.to_openssh().unwrap_or_default()
    }

    /// Signs a tenant's key for one allocation: one principal, a terminal, nothing else.
    pub fn sign_user_certificate(
        &self,
        request: &CertificateRequest<'_>,
    ) -> Result<UserCertificate, AuthorityError> {
        let ttl = request.ttl_seconds.unwrap_or(DEFAULT_TTL_SECONDS);
        if !(1..=MAX_TTL_SECONDS).contains(&ttl) {
            return Err(AuthorityError::Ttl);
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        if !(1..=128).contains(&request.request_id.len()) || !request.request_id.bytes().all(plain)
        {
            return Err(AuthorityError::RequestId);
        }
        let key = ssh_key::PublicKey::from_openssh(&request.public_key.openssh)?;
        let principal = unix_user::principal(request.allocation);
        let key_id = format!(
            "{}/{}/{}",
            request.user, request.allocation, request.request_id
        );
        let window = Window::new(request.now, Duration::seconds(i64::from(ttl)));
        let serial = fresh_serial();
        let mut builder = window.builder(&key)?;
        builder.serial(serial)?.key_id(&key_id)?;
        builder.valid_principal(&principal)?;
        builder.extension("permit-pty", "")?;
        if let Some(address) = request.source_address {
            builder.critical_option("source-address", address.to_string())?;
        }
        Ok(UserCertificate {
            openssh: builder.sign(&self.key)?.to_openssh()?,
            serial,
            key_id,
            principal,
            valid_after: window.after,
            valid_before: window.before,
        })
    }

    /// A fresh pair for Berth's own login as root. Without a terminal or forwarding.
    pub fn agent_credentials(
        &self,
        now: OffsetDateTime,
    ) -> Result<AgentCredentials, AuthorityError> {
        let key = fresh_ssh_key();
        let serial = fresh_serial();
        let mut builder = Window::new(now, AGENT_TTL).builder(key.public_key())?;
        builder.serial(serial)?;
        builder.key_id(format!("{AGENT_PRINCIPAL}/{serial}"))?;
        builder.valid_principal(AGENT_PRINCIPAL)?;
        Ok(AgentCredentials {
            private_key: key.to_openssh(ssh_key::LineEnding::LF)?,
            certificate: builder.sign(&self.key)?.to_openssh()?,
        })
    }
}

/// From when to when.
#[derive(Debug, Clone, Copy)]
struct Window {
    after: OffsetDateTime,
    before: OffsetDateTime,
}

impl Window {
    fn new(now: OffsetDateTime, ttl: Duration) -> Self {
        // Certificates count whole seconds.
        let now = now.replace_nanosecond(0).unwrap_or(now);
        Self {
            after: now - BACKDATE,
            before: now + ttl,
        }
    }

    fn builder(self, key: &ssh_key::PublicKey) -> Result<Builder, ssh_key::Error> {
        let seconds = |at: OffsetDateTime| u64::try_from(at.unix_timestamp()).unwrap_or(0);
        let nonce = rand::rng().random::<[u8; 32]>();
        let (after, before) = (seconds(self.after), seconds(self.before));
        let mut builder = Builder::new(nonce, key.key_data().clone(), after, before)?;
        builder.cert_type(CertType::User)?;
        Ok(builder)
    }
}

/// 63 random bits, for columns that have a sign; never zero, which stands for no number.
fn fresh_serial() -> u64 {
    rand::rng().random_range(1..=i64::MAX.unsigned_abs())
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for AgentCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentCredentials").finish_non_exhaustive()
    }
}
