//! `berth workflow`: work that waits for people.

mod replay;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::json;

use super::console::Console;
use super::exit::Result;
use super::group::{Operator, Run};
use super::id;
use super::list::{Page, PageArgs, Row};
use super::session::Session;
use super::table::Cell;
use super::wait::{KeyArgs, WaitArgs, conclude};
use crate::client::{Call, Operation};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    OfOperation(OfOperation),
    /// Replay what runs, and what ended lately, on this program's code: before it is deployed
    #[command(
        after_help = "Asks Temporal and the key service itself, with the settings of `berth worker`; what is not set is as `.berth/env` says. Nothing is changed. Ends with 1 where a run does not replay."
    )]
    Replay(replay::Args),
}

#[derive(Debug, Subcommand)]
pub(crate) enum OfOperation {
    /// Show what is open past its deadline, and releases that failed
    Stuck(PageArgs),
    /// Have the workflow of an open operation look again
    Retry(DoArgs),
    /// End an allocation whose release failed, without a proof that nothing is left on its node
    #[command(
        after_help = "The node goes into quarantine and the GPUs stay out of the pool until a probe has removed what is left."
    )]
    ForceRelease(DoArgs),
}

/// A replay talks to no API and needs no key of one.
pub(super) async fn run(group: Operator<Verb>, console: &mut Console) -> Result {
    match group.verb {
        Verb::Replay(args) => args.run(&group.connection, console).await,
        Verb::OfOperation(verb) => {
            let group = Operator {
                verb,
                connection: group.connection,
                admin_key: group.admin_key,
            };
            group.run(console).await
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct DoArgs {
    #[arg(value_name = "OPERATION", value_parser = id::operation)]
    id: String,
    /// Why, for the audit log; one line
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

/// An operation as somebody sees it who has to do something about it.
#[derive(Debug, Deserialize)]
struct Stuck {
    id: String,
    kind: String,
    state: String,
    resource: Resource,
    #[serde(default)]
    steps: Vec<Step>,
    deadline_at: String,
    workflow: Workflow,
}

#[derive(Debug, Deserialize)]
struct Resource {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Step {
    name: String,
    state: String,
}

#[derive(Debug, Deserialize)]
struct Workflow {
    id: String,
    #[serde(default)]
    url: Option<String>,
}

impl Row for Stuck {
    const HEADINGS: &'static [&'static str] = &[
        "OPERATION",
        "KIND",
        "RESOURCE",
        "STATE",
        "STEP",
        "DEADLINE",
        "WORKFLOW",
    ];

    fn cells(&self) -> Vec<String> {
        let open = |step: &&Step| matches!(step.state.as_str(), "running" | "failed");
        let step = self.steps.iter().find(open);
        vec![
            self.id.clone(),
            self.kind.clone(),
            self.resource.id.clone(),
            self.state.clone(),
            step.map(|step| step.name.clone()).cell(),
            self.deadline_at.clone(),
            self.workflow
                .url
                .clone()
                .unwrap_or_else(|| self.workflow.id.clone()),
        ]
    }
}

impl Run for OfOperation {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::Stuck(page) => {
                let call =
                    Call::get("admin/operations").with_query("stuck", Some("true".to_owned()));
                session.call::<Page<Stuck>>(&page.apply(call)).await
            }
            Self::Retry(args) => intervene("retry", args, session).await,
            Self::ForceRelease(args) => intervene("force-release", args, session).await,
        }
    }
}

async fn intervene(verb: &str, args: DoArgs, session: &mut Session<'_>) -> Result {
    let call = Call::post(
        &format!("admin/operations/{}:{verb}", args.id),
        args.key.key(),
    );
    let accepted = session
        .send(&call.with_body(json!({ "reason": args.reason })))
        .await?;
    conclude::<Operation>(session, &accepted, &args.wait).await
}
