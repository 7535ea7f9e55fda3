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

    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn env_file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("env");
        std::fs::write(&file, text).unwrap();
        (dir, file)
    }

    #[test]
    fn an_env_file_is_shell_format() {
        let (_dir, file) = env_file(
            "# written by berth up\n\
             BERTH_API_URL=http://127.0.0.1:8080\n\
             export BERTH_SKU=h100-80gb\n\
             BERTH_API_KEY='berth_a$b'\n\
             DATABASE_URL=\"postgres://u:p@h/d?x=1#y\"\n\
             EMPTY=\n\
             BERTH_SKU=later\n",
        );
        let env = EnvFile::read(&file).unwrap();
        assert_eq!(env.get("BERTH_API_URL"), Some("http://127.0.0.1:8080"));
        assert_eq!(env.get("BERTH_API_KEY"), Some("berth_a$b"));
        assert_eq!(env.get("DATABASE_URL"), Some("postgres://u:p@h/d?x=1#y"));
        assert_eq!(env.get("BERTH_SKU"), Some("later"));
        assert_eq!(env.get("EMPTY"), None);
        assert_eq!(env.get("ABSENT"), None);
    }

    #[test]
    fn an_env_file_that_is_not_there_is_empty() {
        let env = EnvFile::read(Path::new("/nowhere/env")).unwrap();
        assert_eq!(env.get("BERTH_API_URL"), None);
    }

    #[test]
    fn a_broken_env_file_is_named_and_its_secrets_are_not_shown() {
        let (_dir, file) = env_file("BERTH_API_KEY='berth_secret\n");
        let message = EnvFile::read(&file).unwrap_err().to_string();
        assert!(
            message.contains("env") && !message.contains("berth_secret"),
            "{message}"
        );
        let (_dir, file) = env_file("BERTH_API_KEY=berth_secret\n");
        let env = EnvFile::read(&file).unwrap();
        let settings = Settings::new("http://localhost", Some(Key::new("berth_secret"))).unwrap();
        let shown = format!("{env:?} {settings:?}");
        assert!(!shown.contains("berth_secret"), "{shown}");
    }

    #[test]
    fn an_address_is_http_with_a_host() {
        for wrong in ["", "localhost:8080", "ftp://host", "http://", "/api"] {
            assert!(Settings::new(wrong, None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        let cases = [
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost", true),
            ("http://10.0.0.1", false),
            ("https://localhost.example.org", false),
        ];
        for (url, loopback) in cases {
            assert_eq!(
                Settings::new(url, None).unwrap().is_loopback(),
                loopback,
                "{url}"
            );
        }
    }
}
