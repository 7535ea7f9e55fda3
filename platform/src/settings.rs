//! Settings of every role: environment variables, or one TOML file with the same names.
//!
//! [`KNOWN`] is the whole list, and the only source of `--help`, of the file's permitted keys and
//! of the tests that compare installations. The environment beats the file; an empty value counts
//! as unset. Nothing else in Berth reads the environment of a role.

mod known;
mod parse;
mod source;

pub use self::known::{KNOWN, Known, Need, help};
pub(crate) use self::parse::logging;
pub use self::source::{CONFIG_FILE, Source, session_path};

use std::net::SocketAddr;
use std::path::PathBuf;

use domain::jwt::Rules;
use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

/// A complete and checked configuration. Secrets show as `[REDACTED]` in `Debug`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Postgres as the role `berth_api`.
    pub database_url: SecretString,
    /// Postgres as the role `berth_worker`; unset: `database_url`.
    pub database_worker_url: Option<SecretString>,
    /// Postgres as the role `berth_owner`; unset: `database_url`.
    pub database_owner_url: Option<SecretString>,
    pub redis_url: SecretString,
    pub nats_url: SecretString,
    /// `host:port` of Temporal's frontend.
    pub temporal_address: String,
    pub temporal_namespace: String,
    /// Base of the links to workflows that operations carry.
    pub temporal_ui_url: Option<String>,
    pub api_listen: SocketAddr,
    /// Proxies whose word about where a request comes from counts; empty: nobody's.
    pub trusted_proxy_cidrs: Vec<IpNet>,
    /// API processes that share every rate limit, at least 1.
    pub api_replicas: u32,
    /// A listener of its own for `/metrics` and `/internal/*`.
    pub internal_listen: Option<SocketAddr>,
    /// Where a worker serves its `/metrics`.
    pub worker_metrics_listen: Option<SocketAddr>,
    /// Private ranges that nodes may live in; empty: every target is denied.
    pub node_probe_allowed_cidrs: Vec<IpNet>,
    /// Bearer tokens of `POST /internal/auth/jwks/refresh`: none, one, or two during a change.
    pub internal_jwks_refresh_tokens: Vec<SecretString>,
    /// What the payment provider signs with: `whsec_` and base64. Empty: it has no route.
    pub payments_webhook_secrets: Vec<SecretString>,
    /// Folder of the local key files, 0700.
    pub keyring_dir: PathBuf,
    /// Lists of SSH keys that are not taken; unset: none.
    pub ssh_weak_keys_dir: Option<PathBuf>,
    /// Who wraps data keys.
    pub kms: KmsSettings,
    /// Where archives and signed heads go.
    pub objects: ObjectSettings,
    /// How callers reach the API; links are built from it.
    pub public_url: Option<String>,
    pub oidc: Option<Oidc>,
    pub log_format: LogFormat,
    /// Directives of `tracing_subscriber::EnvFilter`.
    pub log_filter: String,
}

/// The identity provider: whose access tokens are taken, and where people log in.
#[derive(Debug, Clone)]
pub struct Oidc {
    pub rules: Rules,
    pub browsers: Option<BrowserClient>,
}

/// Berth as a client of the provider, for people who log in with a browser.
#[derive(Debug, Clone)]
pub struct BrowserClient {
    pub client_id: String,
    pub client_secret: SecretString,
    /// Our own address as browsers see it: https, or on a loopback address.
    pub public_url: Url,
}

/// Whoever holds the wrapping keys.
#[derive(Debug, Clone)]
pub enum KmsSettings {
    /// The files of `keyring_dir`.
    Keyring,
    Transit(Box<TransitSettings>),
}

/// The Transit engine of an `OpenBao` or Vault server.
#[derive(Debug, Clone)]
pub struct TransitSettings {
    pub address: Url,
    pub mount: String,
    /// What the names of our keys begin with.
    pub key: String,
    pub namespace: Option<String>,
    pub login: TransitLogin,
}

/// How Berth proves to that server who it is.
#[derive(Debug, Clone)]
pub enum TransitLogin {
    TokenFile(PathBuf),
    AppRole {
        role_id: String,
        secret_id_file: PathBuf,
    },
}

/// Wherever objects lie.
#[derive(Debug, Clone)]
pub enum ObjectSettings {
    /// A folder that every worker of the queue `maintenance` sees.
    Folder(PathBuf),
    S3(Box<S3Settings>),
}

/// A bucket of any server that speaks S3.
#[derive(Debug, Clone)]
pub struct S3Settings {
    pub bucket: String,
    /// `None`: Amazon's of that region.
    pub endpoint: Option<Url>,
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: SecretString,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Text,
}

/// What is wrong with a configuration, in one line that names the setting and never its value.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("setting {name} is required: {text}")]
    Missing {
        name: &'static str,
        text: &'static str,
    },
    #[error("setting {name} is bad: {why}")]
    Bad { name: &'static str, why: String },
    #[error("settings file {}: {why}", path.display())]
    File { path: PathBuf, why: String },
}

impl Settings {
    /// Reads the environment and the file that `BERTH_CONFIG_FILE` names, if any.
    pub fn load() -> Result<Settings, SettingsError> {
        Settings::from_source(&Source::of_process()?)
    }

    /// The same from any source.
    pub fn from_source(source: &Source) -> Result<Settings, SettingsError> {
        parse::settings(source)
    }
}

#[cfg(test)]
mod tests;
