//! `make bench`: what Berth costs, as ratios against a floor measured in the same run, because
//! the machines that run this are noisy. Method and last results: `doc/benchmarks.md`.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::cast_precision_loss, reason = "rates for people")]

#[path = "berth/accept.rs"]
mod accept;
#[path = "berth/billing.rs"]
mod billing;
#[path = "berth/limit.rs"]
mod limit;
#[path = "berth/overhead.rs"]
mod overhead;
#[path = "berth/partition.rs"]
mod partition;
#[path = "berth/policy.rs"]
mod policy;
#[path = "berth/read.rs"]
mod read;
#[path = "berth/resolvers.rs"]
mod resolvers;
#[path = "berth/seal.rs"]
mod seal;
#[path = "berth/tickets.rs"]
mod tickets;

/// The `p`th percentile of sorted values.
pub(crate) fn percentile(sorted: &[f64], p: usize) -> f64 {
    sorted
        .get((sorted.len() * p / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

#[tokio::main]
async fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    let stack = tests::stack().await;
    let tenant = tests::Tenant::new(stack).await;
    let mut ratios = Vec::new();
    if runs("overhead") {
        ratios.extend(overhead::run(stack, &tenant).await);
    }
    if runs("policy") {
        ratios.extend(policy::run(stack, &tenant).await);
    }
    if runs("read") {
        ratios.extend(read::run(stack, &tenant).await);
    }
    if runs("seal") {
        ratios.extend(seal::run().await);
    }
    if runs("resolvers") {
        ratios.extend(resolvers::run(stack, &tenant).await);
    }
    if runs("accept") {
        ratios.extend(accept::run(stack, &tenant).await);
    }
    if runs("billing") {
        ratios.extend(billing::run(stack, &tenant).await);
    }
    if runs("partition") {
        ratios.extend(partition::run().await);
    }
    if runs("limit") {
        ratios.extend(limit::run(stack).await);
    }
    if runs("tickets") {
        ratios.extend(tickets::run(stack, &tenant).await);
    }
    println!();
    for line in ratios {
        println!("ratio  {line}");
    }
}
