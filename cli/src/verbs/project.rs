//! `berth project`

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::exit::Result;
use super::group::Run;
use super::list::{Page, PageArgs, Row};
use super::session::Session;
use super::table::{Show, Table};
use super::wait::KeyArgs;
use super::{body, id};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a project
    Create {
        /// Name, unique in the organization
        #[arg(long)]
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Show one project
    Get {
        #[arg(value_name = "PROJECT", value_parser = id::project)]
        id: String,
    },
    /// Show the organization's projects
    List(PageArgs),
    /// Delete a project that holds no live allocation
    Delete {
        #[arg(value_name = "PROJECT", value_parser = id::project)]
        id: String,
    },
}

#[derive(Debug, Deserialize)]
struct Project {
    id: String,
    name: String,
    #[serde(default)]
    description: Option<String>,
    created_at: String,
}

impl Show for Project {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("name", &self.name);
        table.field("description", &self.description);
        table.field("created", &self.created_at);
        table
    }
}

impl Row for Project {
    const HEADINGS: &'static [&'static str] = &["ID", "NAME", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![self.id.clone(), self.name.clone(), self.created_at.clone()]
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::Create {
                name,
                description,
                key,
            } => {
                let body = body([
                    ("name", Some(json!(name))),
                    ("description", description.map(Value::from)),
                ]);
                let call = Call::post("projects", key.key()).with_body(body);
                session.call::<Project>(&call).await
            }
            Self::Get { id } => session.get::<Project>(&format!("projects/{id}")).await,
            Self::List(page) => {
                session
                    .call::<Page<Project>>(&page.apply(Call::get("projects")))
                    .await
            }
            Self::Delete { id } => session.delete(&format!("projects/{id}"), &id).await,
        }
    }
}
