//! What the control plane adds to an allocation: from request to `active`, less the time in which
//! the node itself was at work.

use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{Stack, Tenant};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::percentile;

const ROUNDS: usize = 30;
const LIMIT: Duration = Duration::from_mins(2);

pub(crate) async fn run(stack: &Stack, tenant: &Tenant) -> Vec<String> {
    let (mut totals, mut nodes, mut overheads) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let operation = tenant.create_allocation(stack, 1).await.expect(202);
        let done = tenant.api.finished(&operation, LIMIT).await;
        let total = start.elapsed().as_secs_f64() * 1000.0;
        assert_eq!(done["state"], "succeeded", "{done}");
        let node = on_the_node(&done);
        totals.push(total);
        nodes.push(node);
        overheads.push(total - node);
        let id = operation["resource"]["id"].as_str().unwrap_or_default();
        let release = tenant
            .api
            .delete(&format!("/api/v1/allocations/{id}"))
            .await
            .expect(202);
        tenant.api.finished(&release, LIMIT).await;
    }
    for values in [&mut totals, &mut nodes, &mut overheads] {
        values.sort_by(f64::total_cmp);
    }
    let line = |name: &str, v: &[f64]| {
        println!(
            "{name:<28} p50 {:7.0} ms   p95 {:7.0} ms",
            percentile(v, 50),
            percentile(v, 95)
        );
    };
    println!("overhead: {ROUNDS} allocations, one after the other");
    line("request to active", &totals);
    line("the node's own time", &nodes);
    line("control plane", &overheads);
    vec![format!(
        "overhead: control plane / node's own time, p50: {:.2}",
        percentile(&overheads, 50) / percentile(&nodes, 50)
    )]
}

/// Milliseconds that the steps on the node took, from their own rows.
fn on_the_node(operation: &Value) -> f64 {
    let at = |step: &Value, name: &str| {
        OffsetDateTime::parse(step[name].as_str().unwrap_or_default(), &Rfc3339).ok()
    };
    let steps = operation["steps"].as_array().into_iter().flatten();
    steps
        .filter(|s| {
            ["preflight", "install_access", "accept"]
                .contains(&s["name"].as_str().unwrap_or_default())
        })
        .filter_map(|s| Some((at(s, "ended_at")? - at(s, "started_at")?).as_seconds_f64() * 1000.0))
        .sum()
}
