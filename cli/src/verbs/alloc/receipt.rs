//! `berth alloc receipt`

use std::fmt;

use domain::signed_document::{self, NotSigned, Receipt};
use domain::signing_key::Purpose;
use platform::signing::{published_key, verify};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Call;
use crate::verbs::exit::{Exit, Failure, Result};
use crate::verbs::group::Format;
use crate::verbs::id;
use crate::verbs::session::Session;
use crate::verbs::table::{Cell, Table};

const JWKS: &str = "/.well-known/jwks.json";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_name = "ALLOCATION", value_parser = id::allocation)]
    id: String,
}

#[derive(Debug, Deserialize)]
struct Allocation {
    id: String,
    state: String,
    #[serde(default)]
    nodes: Vec<Machine>,
}

#[derive(Debug, Deserialize)]
struct Machine {
    id: String,
    receipt: Option<Value>,
    #[serde(default)]
    gpus: Vec<Gpu>,
}

#[derive(Debug, Deserialize)]
struct Gpu {
    uuid: String,
}

/// Why a receipt does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Form(NotSigned),
    UnknownKey,
    Signature,
    /// Signed, and for something else.
    Subject,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(flaw) => flaw.fmt(f),
            Self::UnknownKey => f.write_str("none of the published keys has its name"),
            Self::Signature => f.write_str("its key did not sign this"),
            Self::Subject => f.write_str("it is of another allocation, machine or other GPUs"),
        }
    }
}

pub(super) async fn run(args: Args, session: &mut Session<'_>) -> Result {
    let answer = session
        .client
        .get(&format!("allocations/{}", args.id))
        .await?;
    let allocation: Allocation = answer.json()?;
    let set: Value = session.client.send(&Call::document(JWKS)).await?.json()?;
    let receipts: Vec<_> = allocation
        .nodes
        .iter()
        .filter_map(|machine| {
            let receipt = machine.receipt.as_ref()?;
            Some((receipt, flaw(receipt, &allocation.id, machine, &set)))
        })
        .collect();
    if receipts.is_empty() {
        let text = format!(
            "{} is {} and has no receipt",
            allocation.id, allocation.state
        );
        return Err(Failure::NotPossible(text));
    }
    match session.format {
        Format::Json => session.console.data(&as_json(&receipts))?,
        Format::Table => session.console.data(&as_tables(&receipts))?,
    }
    let flawed = receipts.iter().any(|(_, flaw)| flaw.is_some());
    Ok(if flawed { Exit::Failed } else { Exit::Ok })
}

/// None: the receipt is what it says, and says it of this machine.
fn flaw(receipt: &Value, allocation: &str, machine: &Machine, set: &Value) -> Option<Flaw> {
    let claim = match signed_document::claim::<Receipt>(receipt) {
        Ok(claim) => claim,
        Err(flaw) => return Some(Flaw::Form(flaw)),
    };
    let Some(key) = published_key(set, &claim.kid, Purpose::JwtSigner) else {
        return Some(Flaw::UnknownKey);
    };
    if !verify(&key, &claim.input, &claim.signature) {
        return Some(Flaw::Signature);
    }
    let handed: Vec<_> = machine
        .gpus
        .iter()
        .map(|gpu| Some(gpu.uuid.as_str()))
        .collect();
    let subject = receipt["allocation_id"] == allocation
        && receipt["node_id"] == machine.id.as_str()
        && uuids(receipt) == handed;
    (!subject).then_some(Flaw::Subject)
}

fn uuids(receipt: &Value) -> Vec<Option<&str>> {
    let gpus = receipt["gpus"].as_array().into_iter().flatten();
    gpus.map(|gpu| gpu["uuid"].as_str()).collect()
}

fn as_json(receipts: &[(&Value, Option<Flaw>)]) -> String {
    let items: Vec<Value> = receipts
        .iter()
        .map(|(receipt, flaw)| {
            let flaw = flaw.map(|flaw| flaw.to_string());
            json!({ "receipt": receipt, "verified": flaw.is_none(), "flaw": flaw })
        })
        .collect();
    json!({ "items": items }).to_string()
}

fn as_tables(receipts: &[(&Value, Option<Flaw>)]) -> String {
    let tables: Vec<String> = receipts
        .iter()
        .map(|(receipt, flaw)| table(receipt, *flaw).render())
        .collect();
    tables.join("\n\n")
}

fn table(receipt: &Value, flaw: Option<Flaw>) -> Table {
    let mut table = Table::fields();
    for (name, member) in [
        ("allocation", "allocation_id"),
        ("node", "node_id"),
        ("checked", "checked_at"),
        ("boot", "boot_id"),
        ("driver", "driver_version"),
        ("key", "kid"),
    ] {
        table.field(name, &receipt[member]);
    }
    let verdict = match flaw {
        None => "holds".to_owned(),
        Some(flaw) => format!("DOES NOT HOLD: {flaw}"),
    };
    table.field("signature", verdict);
    let mut gpus = Table::columns(&["GPU", "MODEL", "UUID"]);
    for gpu in receipt["gpus"].as_array().into_iter().flatten() {
        gpus.row(["index", "model", "uuid"].map(|member| gpu[member].cell()));
    }
    table.below(gpus)
}
