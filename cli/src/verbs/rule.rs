//! `berth rule`: authorization policies that operators add to the built-in ones.

use std::path::PathBuf;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::exit::Result;
use super::group::Run;
use super::list::{Page, PageArgs, Row};
use super::session::Session;
use super::table::{Cell, Show, Table};
use super::wait::KeyArgs;
use super::{body, id, input};
use crate::client::Call;

/// More than the server takes.
const POLICY_BYTES_MAX: u64 = 64 * 1024;
const PATH: &str = "admin/authorization-policies";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Add a rule, one Cedar policy
    Create {
        /// File with the policy; `-`: standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Name for people, unique in its scope
        #[arg(long)]
        name: String,
        /// Whose requests it is about [default: everybody's]
        #[arg(long, value_name = "ORGANIZATION", value_parser = id::organization)]
        organization: Option<String>,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Show one rule
    Get {
        #[arg(value_name = "RULE", value_parser = id::authorization_policy)]
        id: String,
    },
    /// Show all rules that operators added
    List {
        /// Only those of one organization
        #[arg(long, value_name = "ORGANIZATION", value_parser = id::organization)]
        organization: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Take a rule out of force
    Delete {
        #[arg(value_name = "RULE", value_parser = id::authorization_policy)]
        id: String,
    },
    /// Show what was changed about rules and policies, newest first
    History {
        /// Only about this rule's id or this policy's key
        #[arg(value_name = "SUBJECT")]
        subject: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
}

#[derive(Debug, Deserialize)]
struct Rule {
    id: String,
    #[serde(default)]
    organization_id: Option<String>,
    name: String,
    policy: String,
    created_at: String,
    #[serde(default)]
    updated_at: Option<String>,
}

impl Show for Rule {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("name", &self.name);
        table.field("organization", &self.organization_id);
        table.field("created", &self.created_at);
        table.field("updated", &self.updated_at);
        table.field("policy", &self.policy);
        table
    }
}

impl Row for Rule {
    const HEADINGS: &'static [&'static str] = &["ID", "NAME", "ORGANIZATION", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.name.clone(),
            self.organization_id.cell(),
            self.created_at.clone(),
        ]
    }
}

#[derive(Debug, Deserialize)]
struct Change {
    version: i64,
    subject: String,
    scope: String,
    content: Option<Value>,
    #[serde(default)]
    changed_by: Option<String>,
    changed_at: String,
}

impl Row for Change {
    const HEADINGS: &'static [&'static str] =
        &["VERSION", "CHANGED", "BY", "SUBJECT", "SCOPE", "SINCE THEN"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.version.to_string(),
            self.changed_at.clone(),
            self.changed_by.cell(),
            self.subject.clone(),
            self.scope.clone(),
            self.content
                .as_ref()
                .map_or_else(|| "taken away".to_owned(), Value::to_string),
        ]
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::Create {
                file,
                name,
                organization,
                key,
            } => {
                let body = body([
                    ("name", Some(json!(name))),
                    ("policy", Some(json!(input::text(&file, POLICY_BYTES_MAX)?))),
                    ("organization_id", organization.map(Value::from)),
                ]);
                let call = Call::post(PATH, key.key()).with_body(body);
                session.call::<Rule>(&call).await
            }
            Self::Get { id } => session.get::<Rule>(&format!("{PATH}/{id}")).await,
            Self::List { organization, page } => {
                let call = Call::get(PATH).with_query("organization_id", organization);
                session.call::<Page<Rule>>(&page.apply(call)).await
            }
            Self::Delete { id } => session.delete(&format!("{PATH}/{id}"), &id).await,
            Self::History { subject, page } => {
                let call = Call::get("admin/policy-changes").with_query("subject", subject);
                session.call::<Page<Change>>(&page.apply(call)).await
            }
        }
    }
}
