//! `berth api-key`: keys for programs. The secret is in the answer that made it and nowhere else.

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::exit::Result;
use super::group::Run;
use super::list::{Page, PageArgs, Row};
use super::session::Session;
use super::table::{Cell, Show, Table};
use super::wait::KeyArgs;
use super::{body, id};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a key that acts as you; its secret is shown once
    Create {
        /// Name for people
        #[arg(long)]
        name: String,
        /// How long it is good for [default: the server's]
        #[arg(long, value_name = "SECONDS")]
        lifetime_seconds: Option<u64>,
        /// What it may be used for, of what you may do: read, write, admin [default: all of it]
        #[arg(long = "scope", value_name = "SCOPE", value_parser = ["read", "write", "admin"])]
        scopes: Vec<String>,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Show the organization's keys, without secrets
    List(PageArgs),
    /// Give a key a new secret; the old one stays good for a while
    Rotate {
        #[arg(value_name = "API_KEY", value_parser = id::api_key)]
        id: String,
        /// How long the old secret stays good [default: the server's]
        #[arg(long, value_name = "SECONDS")]
        overlap_seconds: Option<u64>,
        /// How long the new secret is good for [default: the server's]
        #[arg(long, value_name = "SECONDS")]
        lifetime_seconds: Option<u64>,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// End a key at once
    Revoke {
        #[arg(value_name = "API_KEY", value_parser = id::api_key)]
        id: String,
        #[command(flatten)]
        key: KeyArgs,
    },
}

#[derive(Debug, Deserialize)]
struct ApiKey {
    id: String,
    name: String,
    #[serde(default)]
    secret: Option<String>,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    revoked_at: Option<String>,
    #[serde(default)]
    last_used_at: Option<String>,
    #[serde(default)]
    last_used_ip: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    created_at: String,
}

impl Show for ApiKey {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("name", &self.name);
        table.field("key", &self.secret);
        table.field("expires", &self.expires_at);
        table.field("revoked", &self.revoked_at);
        table.field("scopes", self.scopes.join(", "));
        table.field("last used", &self.last_used_at);
        table.field("from", &self.last_used_ip);
        table.field("created", &self.created_at);
        table
    }

    fn hint(&self) -> Option<String> {
        self.secret
            .as_ref()
            .map(|_| "The key is not shown again: keep it now.".to_owned())
    }
}

impl Row for ApiKey {
    const HEADINGS: &'static [&'static str] = &[
        "ID",
        "NAME",
        "SCOPES",
        "EXPIRES",
        "LAST USED",
        "FROM",
        "REVOKED",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.name.clone(),
            self.scopes.join(" "),
            self.expires_at.cell(),
            self.last_used_at.cell(),
            self.last_used_ip.cell(),
            self.revoked_at.cell(),
        ]
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        let call = match self {
            Self::List(page) => {
                let call = page.apply(Call::get("api-keys"));
                return session.call::<Page<ApiKey>>(&call).await;
            }
            Self::Create {
                name,
                lifetime_seconds,
                scopes,
                key,
            } => {
                let scopes = (!scopes.is_empty()).then(|| json!(scopes));
                let body = body([
                    ("scopes", scopes),
                    ("name", Some(json!(name))),
                    ("lifetime_seconds", lifetime_seconds.map(Value::from)),
                ]);
                Call::post("api-keys", key.key()).with_body(body)
            }
            Self::Rotate {
                id,
                overlap_seconds,
                lifetime_seconds,
                key,
            } => {
                let body = body([
                    ("overlap_seconds", overlap_seconds.map(Value::from)),
                    ("lifetime_seconds", lifetime_seconds.map(Value::from)),
                ]);
                Call::post(&format!("api-keys/{id}:rotate"), key.key()).with_body(body)
            }
            Self::Revoke { id, key } => Call::post(&format!("api-keys/{id}:revoke"), key.key()),
        };
        session.call::<ApiKey>(&call).await
    }
}
