//! `berth identity`: which person a subject of the identity provider is, for operators.

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
    /// Let a subject's tokens act as a person
    Link {
        /// `sub` in the provider's tokens
        #[arg(long)]
        subject: String,
        /// The address that the person is known by
        #[arg(long)]
        email: String,
        /// The provider [default: the configured one]
        #[arg(long)]
        issuer: Option<String>,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Show who is linked to whom
    List(PageArgs),
    /// End a link: the subject's tokens open nothing any more
    Unlink {
        #[arg(value_name = "IDENTITY", value_parser = id::identity)]
        id: String,
    },
    /// Make every token void that a subject has now
    RevokeTokens {
        #[arg(value_name = "IDENTITY", value_parser = id::identity)]
        id: String,
        #[command(flatten)]
        key: KeyArgs,
    },
}

#[derive(Debug, Deserialize)]
struct Identity {
    id: String,
    email: String,
    issuer: String,
    subject: String,
    #[serde(default)]
    tokens_not_before: Option<String>,
    created_at: String,
}

impl Show for Identity {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("person", &self.email);
        table.field("issuer", &self.issuer);
        table.field("subject", &self.subject);
        table.field("tokens not before", &self.tokens_not_before);
        table.field("created", &self.created_at);
        table
    }
}

impl Row for Identity {
    const HEADINGS: &'static [&'static str] =
        &["ID", "PERSON", "SUBJECT", "ISSUER", "TOKENS NOT BEFORE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.email.clone(),
            self.subject.clone(),
            self.issuer.clone(),
            self.tokens_not_before.cell(),
        ]
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::Link {
                subject,
                email,
                issuer,
                key,
            } => {
                let body = body([
                    ("subject", Some(json!(subject))),
                    ("email", Some(json!(email))),
                    ("issuer", issuer.map(Value::from)),
                ]);
                let call = Call::post("admin/identities", key.key()).with_body(body);
                session.call::<Identity>(&call).await
            }
            Self::List(page) => {
                let call = page.apply(Call::get("admin/identities"));
                session.call::<Page<Identity>>(&call).await
            }
            Self::Unlink { id } => session.delete(&format!("admin/identities/{id}"), &id).await,
            Self::RevokeTokens { id, key } => {
                let path = format!("admin/identities/{id}:revoke-tokens");
                session
                    .call::<Identity>(&Call::post(&path, key.key()))
                    .await
            }
        }
    }
}
