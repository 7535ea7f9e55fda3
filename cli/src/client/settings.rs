//! Where the API is and who calls it: flags, then environment, then `.berth/env`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// The file that `berth up` writes, relative to the folder it was started in.
pub(crate) const ENV_FILE: &str = ".berth/env";

/// An API key, which `Debug` does not show.
#[derive(Debug, Clone)]
pub(crate) struct Key(SecretString);

impl Key {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.reveal().is_empty()
    }

    pub(super) fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// Everything a client needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Scheme, host and port; calls go to `/api/v1/` below it.
    pub(crate) api_url: Url,
    /// `None`: an anonymous caller.
    pub(crate) api_key: Option<Key>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(
        "{name} is not set: give {flag}, set {name}, or run this where `berth up` wrote {ENV_FILE}"
    )]
    Missing {
        name: &'static str,
        flag: &'static str,
        secret: bool,
    },
    #[error("{value:?} is not the address of an API: {reason}")]
    Url { value: String, reason: String },
    #[error("{}: {reason}", .file.display())]
    File { file: PathBuf, reason: String },
}

impl Settings {
    pub(crate) fn new(api_url: &str, api_key: Option<Key>) -> Result<Self, SettingsError> {
        let wrong = |reason: String| SettingsError::Url {
            value: api_url.to_owned(),
            reason,
        };
        let url = Url::parse(api_url).map_err(|error| wrong(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong(
                "it must start with http:// or https:// and name a host".to_owned(),
            ));
        }
        Ok(Self {
            api_url: url,
            api_key,
        })
    }

    /// Whether the API is on this machine, where no proxy stands in between.
    pub(super) fn is_loopback(&self) -> bool {
        match self.api_url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        }
    }
}

/// The values of an env file in shell format; later lines win. A file that is not there has none.
#[derive(Default)]
pub(crate) struct EnvFile(BTreeMap<String, String>);

impl EnvFile {
    pub(crate) fn read(file: &Path) -> Result<Self, SettingsError> {
        let wrong = |error: &dyn fmt::Display| SettingsError::File {
            file: file.to_owned(),
            reason: error.to_string(),
        };
        let lines = match dotenvy::from_path_iter(file) {
            Ok(lines) => lines,
            Err(error) if error.not_found() => return Ok(Self::default()),
            Err(error) => return Err(wrong(&error)),
        };
        // The parser's own message shows the line, which may hold a secret.
        let values = lines
            .collect::<Result<_, _>>()
            .map_err(|error| match error {
                dotenvy::Error::LineParse(_, at) => {
                    wrong(&format!("a line is not NAME=value (at its character {at})"))
                }
                other => wrong(&other),
            })?;
        Ok(Self(values))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
