//! `berth audit`: who did what, and whether that is still what was written down.

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::exit::Result;
use super::group::Run;
use super::id;
use super::list::{Page, PageArgs, Row};
use super::partition::views::Maintenance;
use super::session::Session;
use super::table::{Cell, Show, Table};
use super::wait::{KeyArgs, WaitArgs, conclude};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show entries, newest first
    List(ListArgs),
    /// Show one of them
    Get {
        #[arg(value_name = "ENTRY", value_parser = id::audit_event)]
        id: String,
    },
    /// Prove that nothing was changed, removed or put in between; fails when something was
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// About this organization
    #[arg(long, value_name = "ORGANIZATION", value_parser = id::organization)]
    organization: Option<String>,
    /// Such as allocation.create
    #[arg(long)]
    action: Option<String>,
    /// About this thing
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    /// By this key, person or workflow
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// allowed, denied or failed
    #[arg(long)]
    outcome: Option<String>,
    /// Not before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// Why, for the audit log; one line
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    organization_id: Option<String>,
    actor: Actor,
    action: String,
    resource_kind: String,
    resource_id: Option<String>,
    outcome: String,
    reason: Option<String>,
    request_id: Option<String>,
    detail: Value,
    seal: Option<Seal>,
    created_at: String,
}

#[derive(Debug, Deserialize)]
struct Actor {
    kind: String,
    id: String,
}

#[derive(Debug, Deserialize)]
struct Seal {
    seq: i64,
    sha256: String,
}

impl Show for Event {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("at", &self.created_at);
        table.field("organization", &self.organization_id);
        table.field("actor", format!("{} {}", self.actor.kind, self.actor.id));
        table.field("action", &self.action);
        table.field("resource kind", &self.resource_kind);
        table.field("resource", &self.resource_id);
        table.field("outcome", &self.outcome);
        table.field("reason", &self.reason);
        table.field("request", &self.request_id);
        table.field("detail", self.detail.to_string());
        table.field("place", self.seal.as_ref().map(|seal| seal.seq));
        table.field("hash", self.seal.as_ref().map(|seal| seal.sha256.clone()));
        table
    }
}

impl Row for Event {
    const HEADINGS: &'static [&'static str] = &[
        "ID", "AT", "ACTOR", "ACTION", "RESOURCE", "OUTCOME", "PLACE", "REASON",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.created_at.clone(),
            self.actor.id.clone(),
            self.action.clone(),
            self.resource_id.cell(),
            self.outcome.clone(),
            self.seal.as_ref().map(|seal| seal.seq).cell(),
            self.reason.cell(),
        ]
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::List(args) => {
                let call = args
                    .page
                    .apply(Call::get("admin/audit-events"))
                    .with_query("organization_id", args.organization)
                    .with_query("action", args.action)
                    .with_query("resource_id", args.resource)
                    .with_query("actor_id", args.actor)
                    .with_query("outcome", args.outcome)
                    .with_query("since", args.since)
                    .with_query("until", args.until);
                session.call::<Page<Event>>(&call).await
            }
            Self::Get { id } => {
                let path = format!("admin/audit-events/{id}");
                session.get::<Event>(&path).await
            }
            Self::Verify(args) => {
                let body = json!({"reason": args.reason});
                let call = Call::post("admin/audit-events:verify", args.key.key()).with_body(body);
                let accepted = session.send(&call).await?;
                conclude::<Maintenance>(session, &accepted, &args.wait).await
            }
        }
    }
}
