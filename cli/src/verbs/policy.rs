//! `berth policy`: values that decide how long, how many, how much.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body;
use super::exit::Result;
use super::group::Run;
use super::list::{Page, PageArgs, Row};
use super::session::Session;
use super::table::{Cell, Show, Table};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show what can be set, and what holds
    List {
        #[command(flatten)]
        scope: ScopeArgs,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one setting: what was set in a scope and what holds there
    Get {
        #[arg(value_name = "KEY", value_parser = key)]
        key: String,
        #[command(flatten)]
        scope: ScopeArgs,
    },
    /// Set a value in a scope
    Put {
        #[arg(value_name = "KEY", value_parser = key)]
        key: String,
        #[arg(value_name = "VALUE", allow_negative_numbers = true)]
        value: i64,
        #[command(flatten)]
        scope: ScopeArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ScopeArgs {
    /// Whose value: `platform`, or the id of an organization or a project, whose value beats the
    /// platform's [default: platform]
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Policy {
    key: String,
    #[serde(default)]
    scope: Option<String>,
    value: Option<i64>,
    #[serde(default)]
    effective_value: Option<i64>,
    #[serde(default)]
    default_value: Option<i64>,
    #[serde(default)]
    min: Option<i64>,
    #[serde(default)]
    max: Option<i64>,
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    updated_at: Option<String>,
}

impl Show for Policy {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("key", &self.key);
        table.field("about", &self.description);
        table.field("unit", &self.unit);
        table.field("scope", &self.scope);
        table.field("set here", self.value);
        table.field("holds", self.effective_value);
        table.field("default", self.default_value);
        table.field("least", self.min);
        table.field("most", self.max);
        table.field("updated", &self.updated_at);
        table
    }
}

impl Row for Policy {
    const HEADINGS: &'static [&'static str] = &["KEY", "HOLDS", "SET HERE", "DEFAULT", "UNIT"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.key.clone(),
            self.effective_value.cell(),
            self.value.cell(),
            self.default_value.cell(),
            self.unit.cell(),
        ]
    }
}

fn key(text: &str) -> std::result::Result<String, String> {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    if text.contains('.') && text.split('.').all(part) {
        Ok(text.to_owned())
    } else {
        Err("a key looks like area.name".to_owned())
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::List { scope, page } => {
                let call = Call::get("admin/policies").with_query("scope", scope.scope);
                session.call::<Page<Policy>>(&page.apply(call)).await
            }
            Self::Get { key, scope } => {
                let call = Call::get(&format!("admin/policies/{key}"));
                let call = call.with_query("scope", scope.scope);
                session.call::<Policy>(&call).await
            }
            Self::Put { key, value, scope } => {
                let body = body([
                    ("value", Some(json!(value))),
                    ("scope", scope.scope.map(Value::from)),
                ]);
                let call = Call::put(&format!("admin/policies/{key}")).with_body(body);
                session.call::<Policy>(&call).await
            }
        }
    }
}
