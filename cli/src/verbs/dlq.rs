//! `berth dlq`: events and intents that could not be delivered.

use clap::Subcommand;
use serde::Deserialize;

use super::exit::Result;
use super::group::Run;
use super::id;
use super::list::{Page, PageArgs, Row};
use super::session::Session;
use super::table::{Cell, Show, Table};
use super::wait::KeyArgs;
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show what could not be delivered, and why
    List(PageArgs),
    /// Send one again
    Replay {
        #[arg(value_name = "DEAD_LETTER", value_parser = id::dead_letter)]
        id: String,
        #[command(flatten)]
        key: KeyArgs,
    },
}

#[derive(Debug, Deserialize)]
struct DeadLetter {
    id: String,
    source: String,
    subject: String,
    reason: String,
    #[serde(default)]
    attempts: Option<u32>,
    created_at: String,
    #[serde(default)]
    replayed_at: Option<String>,
}

impl Show for DeadLetter {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("source", &self.source);
        table.field("subject", &self.subject);
        table.field("reason", &self.reason);
        table.field("attempts", self.attempts);
        table.field("created", &self.created_at);
        table.field("replayed", &self.replayed_at);
        table
    }
}

impl Row for DeadLetter {
    const HEADINGS: &'static [&'static str] = &[
        "ID", "SOURCE", "SUBJECT", "ATTEMPTS", "CREATED", "REPLAYED", "REASON",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.source.clone(),
            self.subject.clone(),
            self.attempts.cell(),
            self.created_at.clone(),
            self.replayed_at.cell(),
            self.reason.clone(),
        ]
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::List(page) => {
                let call = page.apply(Call::get("admin/dead-letters"));
                session.call::<Page<DeadLetter>>(&call).await
            }
            Self::Replay { id, key } => {
                let call = Call::post(&format!("admin/dead-letters/{id}:replay"), key.key());
                session.call::<DeadLetter>(&call).await
            }
        }
    }
}
