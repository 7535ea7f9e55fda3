//! The names.

/// One setting that a role understands.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub name: &'static str,
    pub need: Need,
    pub secret: bool,
    /// For `--help`: what it is, its shape, what happens when unset.
    pub text: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Required,
    Optional,
    /// Unset means this value.
    Default(&'static str),
}

use Need::{Default, Optional, Required};

const fn plain(name: &'static str, need: Need, text: &'static str) -> Known {
    Known {
        name,
        need,
        secret: false,
        text,
    }
}

const fn secret(name: &'static str, need: Need, text: &'static str) -> Known {
    Known {
        name,
        need,
        secret: true,
        text,
    }
}

/// Every setting, in the order of `--help`.
pub const KNOWN: &[Known] = &[
    secret(
        "DATABASE_URL",
        Required,
        "PostgreSQL as role berth_api, postgres://…",
    ),
    secret(
        "BERTH_DATABASE_WORKER_URL",
        Optional,
        "PostgreSQL as role berth_worker, for workers and relays; unset: DATABASE_URL",
    ),
    secret(
        "BERTH_DATABASE_OWNER_URL",
        Optional,
        "PostgreSQL as role berth_owner, for migrations and workers of the queue maintenance; unset: DATABASE_URL",
    ),
    secret("REDIS_URL", Required, "Redis, redis://… or rediss://…"),
    secret(
        "NATS_URL",
        Required,
        "NATS with JetStream, nats://… or tls://…",
    ),
    plain(
        "TEMPORAL_ADDRESS",
        Required,
        "Temporal's frontend, host:port",
    ),
    plain("TEMPORAL_NAMESPACE", Default("berth"), "Temporal namespace"),
    plain(
        "BERTH_TEMPORAL_UI_URL",
        Optional,
        "Temporal's web UI, http(s)://…; unset: operations carry no workflow link",
    ),
    plain(
        "BERTH_API_LISTEN",
        Default("127.0.0.1:8080"),
        "address:port that `berth api` serves",
    ),
    plain(
        "BERTH_PUBLIC_URL",
        Optional,
        "how callers reach the API, http(s)://…; for browsers to log in, its /auth/callback is registered at the provider",
    ),
    plain(
        "BERTH_TRUSTED_PROXY_CIDRS",
        Optional,
        "comma-separated ranges of the proxies whose X-Forwarded-For or Forwarded counts; unset: nobody's",
    ),
    plain(
        "BERTH_API_REPLICAS",
        Default("1"),
        "API processes that run at the same time: each has its part of every rate limit while Redis is away",
    ),
    plain(
        "BERTH_INTERNAL_LISTEN",
        Optional,
        "address:port for /metrics and /internal/* alone; unset: they share the API's",
    ),
    plain(
        "BERTH_WORKER_METRICS_LISTEN",
        Optional,
        "address:port where a worker or relay serves /metrics; unset: nowhere",
    ),
    plain(
        "BERTH_SSH_WEAK_KEYS_DIR",
        Optional,
        "folder with lists of SSH keys that are not taken, blacklist.* in the format of Debian's openssh-blacklist; unset: no list",
    ),
    plain(
        "NODE_PROBE_ALLOWED_CIDRS",
        Optional,
        "comma-separated ranges that nodes may live in; unset: every target is denied",
    ),
    plain(
        "BERTH_KEYRING_DIR",
        Default("/var/lib/berth/keyring"),
        "folder of Berth's own key files, mode 0700",
    ),
    plain(
        "BERTH_KMS",
        Default("keyring"),
        "who wraps data keys: `keyring` (files of this host) or `transit` (OpenBao, Vault)",
    ),
    plain(
        "BERTH_TRANSIT_ADDRESS",
        Optional,
        "OpenBao or Vault, http(s)://…; required with BERTH_KMS=transit",
    ),
    plain(
        "BERTH_TRANSIT_MOUNT",
        Default("transit"),
        "where the Transit engine is mounted",
    ),
    plain(
        "BERTH_TRANSIT_KEY",
        Default("berth"),
        "what the names of Berth's Transit keys begin with: <this>-cp-main, <this>-payload",
    ),
    plain(
        "BERTH_TRANSIT_NAMESPACE",
        Optional,
        "namespace of the server that the engine is in; unset: the root's",
    ),
    plain(
        "BERTH_TRANSIT_TOKEN_FILE",
        Optional,
        "file with the token, mode 0600, read again when it is refused; or the next two",
    ),
    plain("BERTH_TRANSIT_ROLE_ID", Optional, "AppRole to log in with"),
    plain(
        "BERTH_TRANSIT_SECRET_ID_FILE",
        Optional,
        "file with that AppRole's secret id, mode 0600",
    ),
    plain(
        "BERTH_OBJECTS_DIR",
        Default("/var/lib/berth/objects"),
        "folder of archives and signed heads, one for all workers; not used with BERTH_OBJECTS_BUCKET",
    ),
    plain(
        "BERTH_OBJECTS_BUCKET",
        Optional,
        "bucket of an S3 server for the same; unset: BERTH_OBJECTS_DIR",
    ),
    plain(
        "BERTH_OBJECTS_ENDPOINT",
        Optional,
        "that server, http(s)://…; unset: Amazon's of the region",
    ),
    plain(
        "BERTH_OBJECTS_REGION",
        Default("us-east-1"),
        "region of that server",
    ),
    plain(
        "BERTH_OBJECTS_ACCESS_KEY_ID",
        Optional,
        "whom to log in as there; required with BERTH_OBJECTS_BUCKET",
    ),
    secret(
        "BERTH_OBJECTS_SECRET_ACCESS_KEY",
        Optional,
        "that one's secret; required with BERTH_OBJECTS_BUCKET",
    ),
    secret(
        "BERTH_PAYMENTS_WEBHOOK_SECRET",
        Optional,
        "what the payment provider signs POST /api/v1/payments/webhook with, whsec_ and 24 to 64 bytes in base64; two with a comma between while it is changed; unset: 404",
    ),
    secret(
        "INTERNAL_JWKS_REFRESH_TOKEN",
        Optional,
        "bearer token of POST /internal/auth/jwks/refresh, 43 characters or more; two with a comma between while it is changed; unset: 404",
    ),
    plain(
        "OIDC_ISSUER_URL",
        Optional,
        "OpenID provider whose access tokens are taken, https://… (http:// on a loopback address); unset: none are",
    ),
    plain(
        "OIDC_CLIENT_ID",
        Optional,
        "Berth's client at that provider",
    ),
    plain(
        "BERTH_OIDC_AUDIENCE",
        Optional,
        "what access tokens must be meant for (aud); unset: OIDC_CLIENT_ID",
    ),
    plain(
        "BERTH_OIDC_ALGORITHMS",
        Default("ES256,EdDSA,RS256"),
        "signature algorithms that the provider's tokens may have, comma-separated",
    ),
    plain(
        "BERTH_OIDC_CLIENTS",
        Optional,
        "clients whose tokens are taken (azp, client_id), comma-separated; unset: any",
    ),
    secret(
        "OIDC_CLIENT_SECRET",
        Optional,
        "that client's secret, for people who log in with a browser; needs BERTH_PUBLIC_URL, https or on a loopback address; unset: nobody does",
    ),
    plain(
        "BERTH_LOG_FORMAT",
        Default("text"),
        "`json` or `text`, on stderr",
    ),
    plain(
        "BERTH_LOG",
        Default("info"),
        "log filter, such as `info,worker=debug`",
    ),
];

pub(super) fn get(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

/// The text that the `--help` of every role ends with.
pub fn help() -> String {
    let width = KNOWN
        .iter()
        .map(|known| known.name.len())
        .max()
        .unwrap_or_default();
    let line = |known: &Known| {
        let need = match known.need {
            Required => " [required]".to_owned(),
            Default(value) => format!(" [default: {value}]"),
            Optional => String::new(),
        };
        format!("  {:width$}  {}{need}\n", known.name, known.text)
    };
    let heading = "Settings (environment, or the TOML file that BERTH_CONFIG_FILE names):\n";
    std::iter::once(heading.to_owned())
        .chain(KNOWN.iter().map(line))
        .collect()
}
