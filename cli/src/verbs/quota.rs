//! `berth quota`: how many GPUs of a SKU may be had together.

use clap::Subcommand;
use serde::Deserialize;
use serde_json::json;

use super::exit::Result;
use super::group::Run;
use super::list::{Page, PageArgs, Row};
use super::session::Session;
use super::table::{Cell, Show, Table};
use super::{body, id};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show every quota, and what is used of it
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Set how many GPUs of a SKU an organization or a project may have together
    Set {
        /// Id of an organization or a project
        #[arg(value_name = "SCOPE")]
        scope: String,
        #[arg(value_name = "SKU")]
        sku: String,
        #[arg(value_name = "GPUS")]
        gpus_max: u32,
    },
    /// Take a quota away
    Remove {
        #[arg(value_name = "ID", value_parser = id::quota)]
        id: String,
    },
}

#[derive(Debug, Deserialize)]
struct Quota {
    id: String,
    organization_id: String,
    project_id: Option<String>,
    sku: String,
    gpus_max: i64,
    gpus_used: i64,
    gpus_left: i64,
}

impl Quota {
    fn scope(&self) -> &str {
        self.project_id.as_ref().unwrap_or(&self.organization_id)
    }
}

impl Show for Quota {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("scope", self.scope());
        table.field("SKU", &self.sku);
        table.field("GPUs at most", self.gpus_max);
        table.field("used", self.gpus_used);
        table.field("left", self.gpus_left);
        table
    }
}

impl Row for Quota {
    const HEADINGS: &'static [&'static str] = &["ID", "SCOPE", "SKU", "MOST", "USED", "LEFT"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.scope().to_owned(),
            self.sku.clone(),
            self.gpus_max.cell(),
            self.gpus_used.cell(),
            self.gpus_left.cell(),
        ]
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::List { page } => {
                let call = page.apply(Call::get("admin/quotas"));
                session.call::<Page<Quota>>(&call).await
            }
            Self::Set {
                scope,
                sku,
                gpus_max,
            } => {
                let body = body([
                    ("scope", Some(json!(scope))),
                    ("sku", Some(json!(sku))),
                    ("gpus_max", Some(json!(gpus_max))),
                ]);
                let call = Call::put("admin/quotas").with_body(body);
                session.call::<Quota>(&call).await
            }
            Self::Remove { id } => session.delete(&format!("admin/quotas/{id}"), &id).await,
        }
    }
}
