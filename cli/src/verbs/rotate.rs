//! `berth rotate`: keys that are replaced.

mod verify;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::exit::Result;
use super::group::Run;
use super::list::{Page, PageArgs, Row};
use super::session::Session;
use super::table::{Cell, Show, Table};
use super::wait::{KeyArgs, WaitArgs, conclude};
use super::{body, id};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Replace a key in time: the next one is known before it signs, the old one serves its time
    Start(Args),
    /// Replace a stolen key: nothing that it signed holds any longer
    BreakGlass(Args),
    /// Show rotations, newest first
    List(PageArgs),
    /// Show one, with its evidence
    Get {
        #[arg(value_name = "ROTATION", value_parser = id::rotation)]
        id: String,
    },
    /// Prove a rotation: its evidence, its keys, and what is published
    Verify {
        #[arg(value_name = "ROTATION", value_parser = id::rotation)]
        id: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_name = "KIND", value_parser = ["jwt_signer", "terminal_signer"])]
    kind: String,
    /// Why, for the evidence and the audit log; one line
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Deserialize)]
struct Rotation {
    id: String,
    kind: String,
    mode: String,
    reason: String,
    old_key: Option<String>,
    new_key: Option<String>,
    activated_at: Option<String>,
    refused_at: Option<String>,
    documents_resigned: i64,
    outcome: Option<String>,
    evidence: Option<Value>,
    created_at: String,
    ended_at: Option<String>,
}

impl Show for Rotation {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("kind", &self.kind);
        table.field("mode", &self.mode);
        table.field("reason", &self.reason);
        table.field("old key", &self.old_key);
        table.field("new key", &self.new_key);
        table.field("asked for", &self.created_at);
        table.field("new key signs", &self.activated_at);
        table.field("old key refused", &self.refused_at);
        table.field("documents signed anew", self.documents_resigned);
        table.field("outcome", &self.outcome);
        table.field("ended", &self.ended_at);
        for target in targets(self.evidence.as_ref()) {
            table.field("target", target);
        }
        table
    }

    fn hint(&self) -> Option<String> {
        self.evidence.as_ref()?;
        Some(format!("Prove it: berth rotate verify {}", self.id))
    }
}

/// Such as `contained: 7 s of 300 s, met`.
fn targets(evidence: Option<&Value>) -> Vec<String> {
    let all = evidence.and_then(|evidence| evidence["targets"].as_array());
    all.into_iter()
        .flatten()
        .map(|target| {
            let met = if target["met"] == true {
                "met"
            } else {
                "MISSED"
            };
            let name = target["name"].as_str().unwrap_or_default();
            let (took, limit) = (&target["took_seconds"], &target["limit_seconds"]);
            format!("{name}: {took} s of {limit} s, {met}")
        })
        .collect()
}

impl Row for Rotation {
    const HEADINGS: &'static [&'static str] =
        &["ID", "KIND", "MODE", "ASKED FOR", "OUTCOME", "REASON"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.kind.clone(),
            self.mode.clone(),
            self.created_at.clone(),
            self.outcome.cell(),
            self.reason.clone(),
        ]
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::Start(args) => args.run("scheduled", session).await,
            Self::BreakGlass(mut args) => {
                // Nobody who does this wants to look elsewhere for how far it is.
                args.wait.force();
                args.run("break_glass", session).await
            }
            Self::List(page) => {
                let call = page.apply(Call::get("admin/rotations"));
                session.call::<Page<Rotation>>(&call).await
            }
            Self::Get { id } => {
                let path = format!("admin/rotations/{id}");
                session.get::<Rotation>(&path).await
            }
            Self::Verify { id } => verify::run(&id, session).await,
        }
    }
}

impl Args {
    async fn run(self, mode: &str, session: &mut Session<'_>) -> Result {
        let body = body([
            ("kind", Some(json!(self.kind))),
            ("mode", Some(json!(mode))),
            ("reason", Some(json!(self.reason))),
        ]);
        let call = Call::post("admin/rotations", self.key.key()).with_body(body);
        let accepted = session.send(&call).await?;
        conclude::<Rotation>(session, &accepted, &self.wait).await
    }
}
