//! The sample allocation: what a person does first, done once, with its steps to watch.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

use super::context::Context;
use super::server::temporal;
use super::talk::{say, show};
use super::{role, seed};
use crate::client::{Call, Client, IdempotencyKey, Key, Operation, Settings, watch_operation};
use crate::verbs::Console;
use crate::verbs::progress::Steps;

const NAME: &str = "sample";
const GPUS: u32 = 2;

#[derive(Debug, Deserialize)]
struct Page<T> {
    items: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct SshKey {
    id: String,
    public_key: String,
}

#[derive(Debug, Deserialize)]
struct Allocation {
    id: String,
    name: String,
    state: String,
    nodes: Vec<Machine>,
}

#[derive(Debug, Deserialize)]
struct Machine {
    ssh: Option<Login>,
}

#[derive(Debug, Deserialize)]
struct Login {
    user: String,
    host: String,
    port: u16,
    host_key: String,
}

/// Creates it, or finds the one of an earlier start, and prints how to log in.
pub(super) async fn run(ctx: &Context) -> anyhow::Result<()> {
    let owner = Client::new(&Settings::new(
        &role::api_url(ctx),
        Some(Key::from(ctx.memory.seed.owner_key())),
    )?)?;
    let folder = ctx.layout.dir("sample");
    let key = key_pair(&folder).await?;
    let allocation = match find(&owner).await? {
        Some(allocation) => allocation,
        None => create(ctx, &owner, &key).await?,
    };
    let login = allocation
        .nodes
        .iter()
        .find_map(|machine| machine.ssh.as_ref());
    let login = login.with_context(|| {
        format!(
            "{} is {} and has no machine to log in to",
            allocation.id, allocation.state
        )
    })?;
    let known_hosts = folder.join("known_hosts");
    std::fs::write(&known_hosts, known_host(login))?;
    show("");
    show(format_args!(
        "Workflow of {}: {}/namespaces/{}/workflows/allocation%2F{}",
        allocation.id,
        temporal::ui_url(ctx),
        temporal::NAMESPACE,
        allocation.id
    ));
    show(format_args!(
        "Log in to {GPUS} simulated GPUs ({}):",
        allocation.id
    ));
    show(format_args!("  {}", command(login, &key, &known_hosts)));
    show(format_args!(
        "  nvidia-smi -L there lists them; berth alloc release {} gives them back.",
        allocation.id
    ));
    Ok(())
}

/// Only in the data folder, for this one purpose: Berth keeps no private key of anybody's.
async fn key_pair(folder: &Path) -> anyhow::Result<PathBuf> {
    let key = folder.join("id_ed25519");
    if !key.is_file() {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "berth-sample", "-f"])
            .arg(&key)
            .status()
            .await;
        ensure!(
            made.context("cannot run ssh-keygen")?.success(),
            "ssh-keygen failed"
        );
    }
    Ok(key)
}

async fn find(owner: &Client) -> anyhow::Result<Option<Allocation>> {
    // Degraded for a moment: its node was started anew with the stack.
    for state in ["active", "degraded"] {
        let call = Call::get("allocations")
            .with_query("state", Some(state))
            .with_query("limit", Some(100));
        let page: Page<Allocation> = owner.send(&call).await?.json()?;
        let mut items = page.items.into_iter();
        if let Some(found) = items.find(|allocation| allocation.name == NAME) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn create(ctx: &Context, owner: &Client, key: &Path) -> anyhow::Result<Allocation> {
    let body = json!({
        "project_id": ctx.memory.seed.project_id,
        "sku": seed::SKU,
        "gpu_count": GPUS,
        "name": NAME,
        "ssh_key_ids": [ssh_key(owner, key).await?],
    });
    say(format_args!("berth: asking for {GPUS} GPUs"));
    let call = Call::post("allocations", IdempotencyKey::random()).with_body(body);
    let operation: Operation = owner.send(&call).await?.json()?;
    let mut console = Console::system();
    let mut steps = Steps::on(&mut console);
    let (_, operation) = watch_operation(owner, &operation.id, &mut steps).await?;
    let why = operation.why().unwrap_or_else(|| operation.state.clone());
    ensure!(
        operation.has_succeeded(),
        "the sample allocation failed: {why}"
    );
    let path = operation
        .resource
        .as_ref()
        .and_then(|resource| resource.path())
        .context("the operation names no allocation")?;
    Ok(owner.get(path).await?.json()?)
}

/// The id of our public key; made known when it is not.
async fn ssh_key(owner: &Client, key: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(key.with_extension("pub"))
        .context("the sample's public key is gone")?;
    let public_key = text
        .split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ");
    let page: Page<SshKey> = owner
        .send(&Call::get("ssh-keys").with_query("limit", Some(100)))
        .await?
        .json()?;
    if let Some(known) = page
        .items
        .into_iter()
        .find(|known| known.public_key == public_key)
    {
        return Ok(known.id);
    }
    let call = Call::post("ssh-keys", IdempotencyKey::random())
        .with_body(json!({"name": NAME, "public_key": public_key}));
    let made: SshKey = owner.send(&call).await?.json()?;
    Ok(made.id)
}

fn known_host(login: &Login) -> String {
    let Login {
        host,
        port,
        host_key,
        ..
    } = login;
    if *port == 22 {
        format!("{host} {host_key}\n")
    } else {
        format!("[{host}]:{port} {host_key}\n")
    }
}

/// A line for a shell.
fn command(login: &Login, key: &Path, known_hosts: &Path) -> String {
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let port = if login.port == 22 {
        String::new()
    } else {
        format!(" -p {}", login.port)
    };
    format!(
        "ssh -i {} -o IdentitiesOnly=yes -o UserKnownHostsFile={} -o StrictHostKeyChecking=yes{port} {}@{}",
        quoted(key),
        quoted(known_hosts),
        login.user,
        login.host
    )
}
