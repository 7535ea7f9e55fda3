//! From raw texts to checked values.

mod kms;
mod objects;
mod oidc;
mod payments;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::known::{self, Need};
use super::{LogFormat, Settings, SettingsError, Source};

type Result<T> = std::result::Result<T, SettingsError>;

const DATABASE: &[&str] = &["postgres", "postgresql"];
const WEB: &[&str] = &["http", "https"];

pub(super) fn settings(source: &Source) -> Result<Settings> {
    let from = From { source };
    Ok(Settings {
        database_url: from.required_url("DATABASE_URL", DATABASE)?.into(),
        database_worker_url: from
            .url("BERTH_DATABASE_WORKER_URL", DATABASE)?
            .map(SecretString::from),
        database_owner_url: from
            .url("BERTH_DATABASE_OWNER_URL", DATABASE)?
            .map(SecretString::from),
        redis_url: from.required_url("REDIS_URL", &["redis", "rediss"])?.into(),
        nats_url: from.required_url("NATS_URL", &["nats", "tls"])?.into(),
        temporal_address: from.host_and_port("TEMPORAL_ADDRESS")?,
        temporal_namespace: from.required("TEMPORAL_NAMESPACE")?.to_owned(),
        temporal_ui_url: from.url("BERTH_TEMPORAL_UI_URL", WEB)?,
        api_listen: from.parsed("BERTH_API_LISTEN", "not address:port")?,
        trusted_proxy_cidrs: from.ranges("BERTH_TRUSTED_PROXY_CIDRS")?,
        api_replicas: from
            .parsed::<NonZeroU32>("BERTH_API_REPLICAS", "not a number from 1")?
            .get(),
        internal_listen: from.optional("BERTH_INTERNAL_LISTEN", "not address:port")?,
        worker_metrics_listen: from.optional("BERTH_WORKER_METRICS_LISTEN", "not address:port")?,
        node_probe_allowed_cidrs: from.ranges("NODE_PROBE_ALLOWED_CIDRS")?,
        internal_jwks_refresh_tokens: oidc::refresh_tokens(&from)?,
        payments_webhook_secrets: payments::webhook_secrets(&from)?,
        keyring_dir: PathBuf::from(from.required("BERTH_KEYRING_DIR")?),
        ssh_weak_keys_dir: from.get("BERTH_SSH_WEAK_KEYS_DIR").map(PathBuf::from),
        kms: kms::settings(&from)?,
        objects: objects::settings(&from)?,
        public_url: from.url("BERTH_PUBLIC_URL", WEB)?,
        oidc: oidc::oidc(&from)?,
        log_format: from.log_format()?,
        log_filter: from.log_filter()?,
    })
}

/// How to log, as far as the source says it well; [`settings`] is where a bad value is refused.
pub(crate) fn logging(source: &Source) -> (LogFormat, String) {
    let from = From { source };
    (
        from.log_format().unwrap_or(LogFormat::Text),
        from.log_filter().unwrap_or_else(|_| "info".to_owned()),
    )
}

struct From<'a> {
    source: &'a Source,
}

impl<'a> From<'a> {
    fn get(&self, name: &'static str) -> Option<&'a str> {
        self.source
            .get(name)
            .or_else(|| match known::get(name)?.need {
                Need::Default(value) => Some(value),
                Need::Required | Need::Optional => None,
            })
    }

    fn required(&self, name: &'static str) -> Result<&'a str> {
        let text = known::get(name).map_or("", |known| known.text);
        self.get(name).ok_or(SettingsError::Missing { name, text })
    }

    fn parsed<T: FromStr>(&self, name: &'static str, why: &str) -> Result<T> {
        self.required(name)?.parse().map_err(|_| bad(name, why))
    }

    fn optional<T: FromStr>(&self, name: &'static str, why: &str) -> Result<Option<T>> {
        self.get(name)
            .map(|value| value.parse().map_err(|_| bad(name, why)))
            .transpose()
    }

    fn required_url(&self, name: &'static str, schemes: &[&str]) -> Result<String> {
        self.required(name)?;
        self.url(name, schemes).map(Option::unwrap_or_default)
    }

    fn url(&self, name: &'static str, schemes: &[&str]) -> Result<Option<String>> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let url = Url::parse(value).map_err(|error| bad(name, &format!("not a URL ({error})")))?;
        if !schemes.contains(&url.scheme()) {
            return Err(bad(
                name,
                &format!("must begin with {}://", schemes.join(":// or ")),
            ));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(bad(name, "names no host"));
        }
        Ok(Some(value.to_owned()))
    }

    fn host_and_port(&self, name: &'static str) -> Result<String> {
        let value = self.required(name)?;
        let sound = Url::parse(&format!("http://{value}/")).is_ok_and(|url| {
            url.path() == "/" && url.username().is_empty() && url.host_str().is_some()
        });
        match value.rsplit_once(':') {
            Some((_, port)) if sound && port.parse::<u16>().is_ok_and(|port| port > 0) => {
                Ok(value.to_owned())
            }
            _ => Err(bad(name, "not host:port")),
        }
    }

    /// What stands between commas.
    fn items(&self, name: &'static str) -> impl Iterator<Item = &'a str> {
        self.get(name)
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
    }

    fn ranges(&self, name: &'static str) -> Result<Vec<IpNet>> {
        self.items(name)
            .map(|item| {
                item.parse().map_err(|_| {
                    bad(
                        name,
                        &format!("`{item}` is not an address range such as 10.0.0.0/8"),
                    )
                })
            })
            .collect()
    }

    fn log_format(&self) -> Result<LogFormat> {
        match self.required("BERTH_LOG_FORMAT")? {
            "json" => Ok(LogFormat::Json),
            "text" => Ok(LogFormat::Text),
            _ => Err(bad("BERTH_LOG_FORMAT", "neither `json` nor `text`")),
        }
    }

    fn log_filter(&self) -> Result<String> {
        let filter = self.required("BERTH_LOG")?;
        EnvFilter::try_new(filter).map_err(|error| bad("BERTH_LOG", &error.to_string()))?;
        Ok(filter.to_owned())
    }
}

fn bad(name: &'static str, why: &str) -> SettingsError {
    SettingsError::Bad {
        name,
        why: why.to_owned(),
    }
}
