//! `berth policy`: values that decide how long, how many, how much.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use super::exit::Result;
use super::group::Run;
use super::session::Session;
use super::table::{Show, Table};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show a value and where it comes from
    Get {
        #[arg(value_name = "KEY", value_parser = key)]
        key: String,
        #[command(flatten)]
        scope: ScopeArgs,
    },
    /// Set a value, unless somebody else set it in the meantime
    Put {
        #[arg(value_name = "KEY", value_parser = key)]
        key: String,
        /// As JSON: a number, true, "text"
        #[arg(value_name = "VALUE", value_parser = value)]
        value: Value,
        #[command(flatten)]
        scope: ScopeArgs,
    },
}

/// Whom a value is for: a project's beats its organization's, which beats the platform's.
#[derive(Debug, Args)]
pub(crate) struct ScopeArgs {
    /// For one organization
    #[arg(long, value_name = "ID", conflicts_with = "project")]
    organization: Option<String>,
    /// For one project
    #[arg(long, value_name = "ID")]
    project: Option<String>,
}

impl ScopeArgs {
    fn kind(&self) -> &'static str {
        match (&self.project, &self.organization) {
            (Some(_), _) => "project",
            (None, Some(_)) => "organization",
            (None, None) => "platform",
        }
    }

    fn id(&self) -> Option<&str> {
        self.project.as_deref().or(self.organization.as_deref())
    }

    fn apply(&self, call: Call) -> Call {
        call.with_query("scope", Some(self.kind()))
            .with_query("scope_id", self.id())
    }
}

#[derive(Debug, Deserialize)]
struct Policy {
    key: String,
    value: Value,
    #[serde(default)]
    scope: Value,
    #[serde(default)]
    default: Value,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    updated_at: Option<String>,
}

impl Show for Policy {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("key", &self.key);
        table.field("value", &self.value);
        table.field("scope", &self.scope);
        table.field("default", &self.default);
        table.field("about", &self.description);
        table.field("updated", &self.updated_at);
        table
    }
}

fn key(text: &str) -> std::result::Result<String, String> {
    let sound = text.split('.').count() > 1
        && text.split('.').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        });
    if sound {
        Ok(text.to_owned())
    } else {
        Err("a key looks like area.name".to_owned())
    }
}

fn value(text: &str) -> std::result::Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::Get { key, scope } => {
                let call = scope.apply(Call::get(&format!("admin/policies/{key}")));
                session.call::<Policy>(&call).await
            }
            Self::Put { key, value, scope } => {
                let path = format!("admin/policies/{key}");
                let seen = session.client.send(&scope.apply(Call::get(&path))).await?;
                let body = json!({
                    "value": value,
                    "scope": { "kind": scope.kind(), "id": scope.id() },
                });
                let call = Call::put(&path)
                    .with_if_match(seen.header("etag"))
                    .with_body(body);
                session.call::<Policy>(&call).await
            }
        }
    }
}
