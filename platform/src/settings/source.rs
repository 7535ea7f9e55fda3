//! Where settings come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{KNOWN, SettingsError, known};

/// Names the TOML file; itself only an environment variable.
pub const CONFIG_FILE: &str = "BERTH_CONFIG_FILE";

/// Raw values by name, before any check.
#[derive(Default, Clone)]
pub struct Source {
    values: BTreeMap<&'static str, String>,
}

impl Source {
    /// The environment over the settings file.
    pub fn of_process() -> Result<Source, SettingsError> {
        let mut source = match environment(CONFIG_FILE)? {
            Some(path) => Source::of_file(Path::new(&path))?,
            None => Source::default(),
        };
        for known in KNOWN {
            if let Some(value) = environment(known.name)? {
                source.values.insert(known.name, value);
            }
        }
        Ok(source)
    }

    fn of_file(path: &Path) -> Result<Source, SettingsError> {
        let wrong = |why: String| SettingsError::File {
            path: path.to_owned(),
            why,
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        Source::of_toml(&text).map_err(wrong)
    }

    /// `NAME = value` lines; a list is joined by commas. A name that nobody reads is an error,
    /// because it is a typing mistake.
    pub(super) fn of_toml(text: &str) -> Result<Source, String> {
        // The parser's message quotes the line, which may hold a secret.
        let table: toml::Table =
            text.parse()
                .map_err(|error: toml::de::Error| match error.span() {
                    Some(span) => format!(
                        "not TOML in line {}",
                        1 + text[..span.start].matches('\n').count()
                    ),
                    None => "not TOML".to_owned(),
                })?;
        let mut source = Source::default();
        for (name, value) in table {
            let known = known::get(&name).ok_or_else(|| format!("unknown setting {name}"))?;
            let value = scalar(&value)
                .ok_or_else(|| format!("setting {name} is neither text, number nor list"))?;
            source.values.insert(known.name, value);
        }
        Ok(source)
    }

    /// For tests and tools: exactly these values.
    pub fn of_values<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Source {
        let mut source = Source::default();
        for (name, value) in values {
            if let Some(known) = known::get(name) {
                source.values.insert(known.name, value.to_owned());
            }
        }
        source
    }

    /// What is not set here is as it is set there.
    #[must_use]
    pub fn or(mut self, other: &Source) -> Source {
        for (name, value) in &other.values {
            if self.get(name).is_none() {
                self.values.insert(name, value.clone());
            }
        }
        self
    }

    /// The value as it was given; `None` when unset or blank.
    pub fn get(&self, name: &'static str) -> Option<&str> {
        debug_assert!(
            known::get(name).is_some(),
            "{name} is not in the table of settings"
        );
        self.values
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => Some(
            items
                .iter()
                .map(scalar)
                .collect::<Option<Vec<_>>>()?
                .join(","),
        ),
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn environment(name: &'static str) -> Result<Option<String>, SettingsError> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.trim().is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(SettingsError::Bad {
            name,
            why: "not UTF-8".to_owned(),
        }),
    }
}

/// A variable of the calling person's session (`HOME`, `PATH`), which is no setting of Berth.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn session_path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
