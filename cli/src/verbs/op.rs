//! `berth op`: work that takes its time.

use std::time::Duration;

use clap::Subcommand;

use super::exit::Result;
use super::group::Run;
use super::id;
use super::list::{Page, PageArgs, Row};
use super::session::Session;
use super::table::{Cell, Show, Table};
use super::wait::{KeyArgs, verdict, watch};
use crate::client::{Call, Operation};

/// What `follow` adds for an operator.
const ADMIN: &str = " --admin";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show an operation with its steps
    Get {
        #[arg(value_name = "OPERATION", value_parser = id::operation)]
        id: String,
    },
    /// Show operations, newest first
    List {
        /// Only those of this allocation or node
        #[arg(long, value_name = "ID")]
        resource: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Watch an operation to its end, and fail if it fails
    Wait {
        #[arg(value_name = "OPERATION", value_parser = id::operation)]
        id: String,
        /// Give up watching after this long, with exit code 124
        #[arg(long, value_name = "SECONDS")]
        timeout_seconds: Option<u64>,
    },
    /// Ask for an operation to stop; what it did is taken back
    Cancel {
        #[arg(value_name = "OPERATION", value_parser = id::operation)]
        id: String,
        #[command(flatten)]
        key: KeyArgs,
    },
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::Get { id } => session.get::<Operation>(&format!("operations/{id}")).await,
            Self::List { resource, page } => {
                let call = Call::get("operations").with_query("resource_id", resource);
                session.call::<Page<Operation>>(&page.apply(call)).await
            }
            Self::Wait {
                id,
                timeout_seconds,
            } => wait(session, &id, timeout_seconds).await,
            Self::Cancel { id, key } => {
                let call = Call::post(&format!("operations/{id}:cancel"), key.key());
                session.call::<Operation>(&call).await
            }
        }
    }
}

async fn wait(session: &mut Session<'_>, id: &str, timeout_seconds: Option<u64>) -> Result {
    let limit = timeout_seconds.map(Duration::from_secs);
    let admin = if session.admin { ADMIN } else { "" };
    let follow = format!("berth op wait {id}{admin}");
    let (answer, operation) = watch(session, id, limit, follow).await?;
    session.show::<Operation>(&answer)?;
    Ok(verdict(session, &operation))
}

impl Show for Operation {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("operation", &self.id);
        table.field("kind", &self.kind);
        table.field("state", &self.state);
        table.field("stuck", self.stuck.then_some(true));
        if let Some(resource) = &self.resource {
            table.field(&resource.kind, &resource.id);
        }
        table.field("error", self.why());
        table.field(
            "workflow",
            self.workflow
                .as_ref()
                .map(|w| w.url.as_ref().unwrap_or(&w.id)),
        );
        table.field("created", &self.created_at);
        table.field("deadline", &self.deadline_at);
        table.below(self.step_table())
    }

    fn hint(&self) -> Option<String> {
        (!self.is_over()).then(|| format!("Follow it with: {}", follow(self)))
    }
}

impl Row for Operation {
    const HEADINGS: &'static [&'static str] = &["ID", "KIND", "RESOURCE", "STATE", "CREATED"];

    fn cells(&self) -> Vec<String> {
        let state = if self.stuck { "stuck" } else { &self.state };
        let resource = self.resource.as_ref().map(|resource| &resource.id);
        vec![
            self.id.clone(),
            self.kind.clone(),
            resource.cell(),
            state.to_owned(),
            self.created_at.clone(),
        ]
    }
}

/// The command that watches an operation; those of machines are an operator's.
pub(crate) fn follow(operation: &Operation) -> String {
    let admin = if operation.kind.starts_with("node.") {
        ADMIN
    } else {
        ""
    };
    format!("berth op wait {}{admin}", operation.id)
}

impl Operation {
    fn step_table(&self) -> Table {
        let mut table = Table::columns(&["STEP", "STATE", "ATTEMPT", "SECONDS", "DETAIL"]);
        for step in &self.steps {
            let seconds = step
                .took()
                .map(|took| format!("{:.2}", took.as_seconds_f64()));
            let attempt = (step.attempt > 0).then_some(step.attempt);
            table.row([
                step.name.clone(),
                step.state.clone(),
                attempt.cell(),
                seconds.cell(),
                step.detail.cell(),
            ]);
        }
        table
    }
}
