//! What every group of verbs has in common: where the API is, which key is used, how the answer
//! is written.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::console::Console;
use super::exit::{self, Failure};
use super::session::Session;
use crate::client::settings::ENV_FILE;
use crate::client::{Client, EnvFile, Key, Settings, SettingsError};

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Table,
    Json,
}

/// One thing that can be done.
pub(crate) trait Run {
    async fn run(self, session: &mut Session<'_>) -> exit::Result;
}

#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// Address of the API [default: as `.berth/env` says]
    #[arg(long, global = true, value_name = "URL", env = "BERTH_API_URL")]
    #[arg(help_heading = "Connection", hide_env_values = true)]
    api_url: Option<String>,
    /// File with what neither flags nor the environment say, as `berth up` writes it
    #[arg(long, global = true, value_name = "FILE", default_value = ENV_FILE)]
    #[arg(help_heading = "Connection")]
    env_file: PathBuf,
    /// A table for people, or the server's own answer as it came
    #[arg(short, long, global = true, value_enum, default_value_t)]
    output: Format,
}

/// Verbs of an organization's members.
#[derive(Debug, Args)]
pub(crate) struct Tenant<V: Subcommand> {
    #[command(subcommand)]
    verb: V,
    #[command(flatten)]
    connection: Connection,
    /// Key to call with; prefer the environment or the file, which other users cannot see
    #[arg(long, global = true, value_name = "KEY", env = "BERTH_API_KEY")]
    #[arg(help_heading = "Connection", hide_env_values = true)]
    api_key: Option<Key>,
}

/// Verbs of those who run the installation.
#[derive(Debug, Args)]
pub(crate) struct Operator<V: Subcommand> {
    #[command(subcommand)]
    pub(super) verb: V,
    #[command(flatten)]
    pub(super) connection: Connection,
    /// Key to call with; prefer the environment or the file, which other users cannot see
    #[arg(long, global = true, value_name = "KEY", env = "BERTH_ADMIN_KEY")]
    #[arg(help_heading = "Connection", hide_env_values = true)]
    pub(super) admin_key: Option<Key>,
}

/// Verbs of both, each seeing what is his.
#[derive(Debug, Args)]
pub(crate) struct Either<V: Subcommand> {
    #[command(flatten)]
    tenant: Tenant<V>,
    /// Ask as the operator, with `BERTH_ADMIN_KEY`: for work on machines, and for everybody's
    #[arg(long, global = true)]
    admin: bool,
    /// Key of the operator; prefer the environment or the file, which other users cannot see
    #[arg(long, global = true, value_name = "KEY", env = "BERTH_ADMIN_KEY")]
    #[arg(help_heading = "Connection", hide_env_values = true)]
    admin_key: Option<Key>,
}

impl<V: Subcommand + Run> Either<V> {
    pub(crate) async fn run(self, console: &mut Console) -> exit::Result {
        let Tenant {
            verb,
            connection,
            api_key,
        } = self.tenant;
        let mut session = if self.admin {
            connection.open(console, self.admin_key, &ADMIN_KEY)?
        } else {
            connection.open(console, api_key, &API_KEY)?
        };
        session.admin = self.admin;
        verb.run(&mut session).await
    }
}

impl<V: Subcommand + Run> Tenant<V> {
    pub(crate) async fn run(self, console: &mut Console) -> exit::Result {
        let mut session = self.connection.open(console, self.api_key, &API_KEY)?;
        self.verb.run(&mut session).await
    }
}

impl<V: Subcommand + Run> Operator<V> {
    pub(crate) async fn run(self, console: &mut Console) -> exit::Result {
        let mut session = self.connection.open(console, self.admin_key, &ADMIN_KEY)?;
        self.verb.run(&mut session).await
    }
}

/// A setting that has a flag and a variable.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) flag: &'static str,
    pub(crate) secret: bool,
}

const API_URL: Setting = Setting {
    name: "BERTH_API_URL",
    flag: "--api-url",
    secret: false,
};
const API_KEY: Setting = Setting {
    name: "BERTH_API_KEY",
    flag: "--api-key",
    secret: true,
};
const ADMIN_KEY: Setting = Setting {
    name: "BERTH_ADMIN_KEY",
    flag: "--admin-key",
    secret: true,
};

impl Setting {
    /// The value given by flag or environment, else the file's.
    pub(crate) fn resolve(
        &self,
        given: Option<String>,
        file: &EnvFile,
    ) -> Result<String, SettingsError> {
        given
            .filter(|value| !value.is_empty())
            .or_else(|| file.get(self.name).map(ToOwned::to_owned))
            .ok_or(SettingsError::Missing {
                name: self.name,
                flag: self.flag,
                secret: self.secret,
            })
    }
}

impl Connection {
    pub(super) fn format(&self) -> Format {
        self.output
    }

    pub(super) fn file(&self) -> Result<EnvFile, SettingsError> {
        EnvFile::read(&self.env_file)
    }

    fn open<'a>(
        self,
        console: &'a mut Console,
        key: Option<Key>,
        key_setting: &Setting,
    ) -> Result<Session<'a>, Failure> {
        let file = self.file()?;
        let url = API_URL.resolve(self.api_url, &file)?;
        let key = match key.filter(|key| !key.is_empty()) {
            Some(key) => key,
            None => Key::new(key_setting.resolve(None, &file)?),
        };
        let client = Client::new(&Settings::new(&url, Some(key))?)?;
        Ok(Session {
            client,
            console,
            format: self.output,
            file,
            admin: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_environment_beat_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("env");
        std::fs::write(&file, "BERTH_API_URL=http://file\n").unwrap();
        let file = EnvFile::read(&file).unwrap();
        let given = |text: &str| API_URL.resolve(Some(text.to_owned()), &file).unwrap();
        assert_eq!(given("http://flag"), "http://flag");
        assert_eq!(given(""), "http://file");
        assert_eq!(API_URL.resolve(None, &file).unwrap(), "http://file");
    }

    #[test]
    fn what_is_missing_is_named_with_its_remedies() {
        let nothing = EnvFile::default();
        for setting in [API_URL, API_KEY, ADMIN_KEY] {
            let message = setting.resolve(None, &nothing).unwrap_err().to_string();
            assert!(
                message.contains(setting.name) && message.contains(setting.flag),
                "{message}"
            );
        }
        let exit =
            |setting: Setting| Failure::from(setting.resolve(None, &nothing).unwrap_err()).exit();
        assert_eq!(exit(API_URL), crate::verbs::Exit::Usage);
        assert_eq!(exit(API_KEY), crate::verbs::Exit::Auth);
    }
}
