//! Makes the simulated nodes known to Berth over its API, as an operator would, and waits until
//! reservations may use them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use super::context::Context;
use super::nodes::{self, Address};
use super::talk::say;
use super::{role, seed};
use crate::client::{Call, Client, IdempotencyKey, Key, Settings};

const LIMIT: Duration = Duration::from_mins(2);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Node>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Node {
    name: String,
    host: String,
    state: String,
    state_reason: Option<String>,
}

/// Registers those that Berth does not know and waits for all of them.
pub(super) async fn run(ctx: &Context, nodes: &BTreeMap<String, Address>) -> anyhow::Result<()> {
    let begun = Instant::now();
    let operator = Client::new(&Settings::new(
        &role::api_url(ctx),
        Some(Key::from(ctx.memory.seed.operator_key())),
    )?)?;
    let known = list(&operator).await?;
    for (name, address) in nodes {
        match known.get(name) {
            None => register(&operator, name, address).await?,
            Some(node) => ensure!(
                node.host == address.host,
                "{name} is enrolled at {} but lives at {} now",
                node.host,
                address.host
            ),
        }
    }
    wait(&operator, nodes, begun + LIMIT).await?;
    if !nodes.is_empty() {
        say(format_args!(
            "  {} nodes available, {} GPUs each  {:.1} s",
            nodes.len(),
            nodes::GPUS,
            begun.elapsed().as_secs_f32()
        ));
    }
    Ok(())
}

async fn register(operator: &Client, name: &str, address: &Address) -> anyhow::Result<()> {
    let call = Call::post("admin/nodes", IdempotencyKey::random()).with_body(json!({
        "name": name,
        "sku": seed::SKU,
        "host": address.host,
        "port": address.port,
        "host_key": address.host_key,
        "expected_gpu_count": nodes::GPUS,
        "expected_driver_version": nodes::DRIVER_VERSION,
    }));
    operator
        .send(&call)
        .await
        .with_context(|| format!("cannot enroll {name}"))?;
    Ok(())
}

/// A node that was quarantined or drained before stays so: that is news, not a failed start.
async fn wait(
    operator: &Client,
    nodes: &BTreeMap<String, Address>,
    deadline: Instant,
) -> anyhow::Result<()> {
    loop {
        let known = list(operator).await?;
        let ours: Vec<&Node> = nodes.keys().filter_map(|name| known.get(name)).collect();
        let pending = ours
            .iter()
            .find(|node| matches!(node.state.as_str(), "enrolled" | "verifying"));
        match pending {
            None => {
                for node in ours.iter().filter(|node| node.state != "available") {
                    let why = node.state_reason.as_deref().unwrap_or("no reason");
                    say(format_args!(
                        "berth: {} is {} ({why})",
                        node.name, node.state
                    ));
                }
                let none = !ours.is_empty() && ours.iter().all(|node| node.state != "available");
                ensure!(!none, "no node can be used");
                return Ok(());
            }
            Some(node) if Instant::now() > deadline => {
                bail!(
                    "{} is still {} after {} s; see the worker's log",
                    node.name,
                    node.state,
                    LIMIT.as_secs()
                );
            }
            Some(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

/// Every node in service, by name.
async fn list(operator: &Client) -> anyhow::Result<BTreeMap<String, Node>> {
    let mut nodes = BTreeMap::new();
    let mut token = None;
    loop {
        let call = Call::get("admin/nodes")
            .with_query("limit", Some(100))
            .with_query("page_token", token);
        let page: Page = operator.send(&call).await?.json()?;
        let in_service = page
            .items
            .into_iter()
            .filter(|node| node.state != "retired");
        nodes.extend(in_service.map(|node| (node.name.clone(), node)));
        token = page.next_page_token;
        if token.is_none() {
            return Ok(nodes);
        }
    }
}
