//! SSH to nodes: Berth's user certificate authority, and the client that runs scripts.
//!
//! Two generations of one library meet here: certificates are made with `ssh-key` 0.6, the
//! client brings its own. They exchange OpenSSH text and nothing else.

mod authority;
mod client;

pub use authority::{
    AgentCredentials, Authority, AuthorityError, CertificateRequest, MAX_TTL_SECONDS,
    UserCertificate,
};
pub use client::{Output, Session, SshError};
