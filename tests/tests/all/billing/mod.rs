//! What is used, what it costs, and what is owed for it.
//!
//! Each test bills an era of its own, long ago, so that time is moved by the data. Runs over all
//! organizations meet those of other tests, which used nothing then.

mod balance;
mod finance;
mod late_zero;
mod metering;
mod oracle;
mod payments;
pub(crate) mod prepaid;
mod reconciliation;
mod rules;
mod runs;
mod story;
pub(crate) mod world;

use tests::{Stack, Tenant};

use self::world::{Rate, Use, micros};

/// Bills a tenant for an hour of long ago.
pub(crate) async fn one_invoice(stack: &Stack, tenant: &Tenant) {
    let (start, end) = ("2013-01-01T00:00:00Z", "2013-02-01T00:00:00Z");
    let org: domain::id::OrgId = tenant.org_id.parse().expect("an id");
    let project: domain::id::ProjectId = tenant.project_id.parse().expect("an id");
    let (sku, first) = (world::sku(stack).await, micros(start));
    let rate = Rate {
        sku: sku.clone(),
        currency: "USD",
        micros: 1_000_000,
        start: first,
        end: None,
    };
    world::price(stack, &rate).await;
    world::account(stack, org.uuid(), "USD").await;
    let used = Use {
        org: org.uuid(),
        project: project.uuid(),
        sku,
        quantity: 1,
        start: first,
        end: first + 3_600_000_000,
    };
    world::record(stack, &[used]).await;
    world::bill(stack, start, end, Some(org.uuid())).await;
}
