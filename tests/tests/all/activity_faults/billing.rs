//! The workflows `MeteringWindow` and `BillingRun`: whatever fails, each account is billed once, and
//! what one run leaves undone the next one does.

use serde_json::json;
use tests::planned::{Fault, PlannedWorker, Strike};
use tests::{Stack, eventually};
use uuid::Uuid;

use super::{LIMIT, closed};
use crate::billing::world::{self, Rate, Use, micros};
use crate::sweep;

pub(super) const STEPS: &[&str] = &[
    "usage.meter",
    "credits.expire",
    "billing.open",
    "billing.post",
    "billing.close",
    "reconciliation.open",
    "reconciliation.compare",
    "reconciliation.close",
];
const HOUR: i64 = 3_600_000_000;

pub(super) async fn run_all(stack: &Stack, worker: &PlannedWorker) {
    for step in ["usage.meter", "credits.expire"] {
        for fault in Fault::ALL {
            meter(stack, worker, Strike { step, fault }).await;
        }
    }
    for step in STEPS
        .iter()
        .filter(|step| step.starts_with("reconciliation."))
    {
        for fault in Fault::ALL {
            reconcile(stack, worker, Strike { step, fault }).await;
        }
    }
    // The scheduled runs and those of the sweep.
    worker.plan("BillingRun", &[]);
    let steps = STEPS.iter().filter(|step| step.starts_with("billing."));
    let strikes = steps.flat_map(|step| Fault::ALL.map(|fault| Strike { step, fault }));
    for (number, strike) in strikes.enumerate() {
        bill(stack, worker, 1 + number, strike).await;
    }
}

async fn meter(stack: &Stack, worker: &PlannedWorker, strike: Strike) {
    worker.plan("MeteringWindow", &[strike]);
    eventually("the strike", LIMIT, || async {
        sweep::trigger(stack, "metering").await;
        worker.missed("MeteringWindow").is_empty().then_some(())
    })
    .await;
    let unsound: i64 = sqlx::query_scalar(
        "select count(*) from usage_intervals i where metered_to is not null
           and quantity * microseconds(metered_to - lower(period)) <>
             (select coalesce(sum(quantity * microseconds(ended_at - started_at)), 0)
              from usage_records r where r.interval_id = i.id)",
    )
    .fetch_one(&stack.database().await)
    .await
    .expect("a count");
    assert_eq!(unsound, 0, "{strike:?}");
}

/// Whatever fails, what is found is written once, and the next comparison comes to its end.
async fn reconcile(stack: &Stack, worker: &PlannedWorker, strike: Strike) {
    worker.plan("Reconciliation", &[strike]);
    eventually("the strike", LIMIT, || async {
        sweep::trigger(stack, "reconciliation").await;
        worker.missed("Reconciliation").is_empty().then_some(())
    })
    .await;
    let ended = "select count(*) from reconciliations where ended_at is not null";
    let pool = stack.database().await;
    let before: i64 = sqlx::query_scalar(ended)
        .fetch_one(&pool)
        .await
        .expect("a count");
    eventually("another one ends", LIMIT, || async {
        sweep::trigger(stack, "reconciliation").await;
        let now: i64 = sqlx::query_scalar(ended)
            .fetch_one(&pool)
            .await
            .expect("a count");
        (now > before).then_some(())
    })
    .await;
    let twice: i64 = sqlx::query_scalar(
        "select count(*) from (select from reconciliation_findings
           group by reconciliation_id, comparison, code, subject having count(*) > 1) as twice",
    )
    .fetch_one(&pool)
    .await
    .expect("a count");
    assert_eq!(twice, 0, "{strike:?}");
}

async fn bill(stack: &Stack, worker: &PlannedWorker, month: usize, strike: Strike) {
    let (start, end) = (
        format!("2014-{month:02}-01T00:00:00Z"),
        match month {
            12 => "2015-01-01T00:00:00Z".to_owned(),
            _ => format!("2014-{:02}-01T00:00:00Z", month + 1),
        },
    );
    let orgs = customers(stack, &start).await;
    worker.plan("BillingRun", &[strike]);
    let asked = world::ask(stack, &start, &end, None).await;
    eventually("the strike", LIMIT, || async {
        worker.missed("BillingRun").is_empty().then_some(())
    })
    .await;
    // A run whose end failed is carried on by the sweep.
    let id = asked["id"].as_str().expect("an id");
    let done = eventually("its end", LIMIT, || async {
        sweep::trigger(stack, "sweep").await;
        let path = format!("/api/v1/operations/{id}");
        let now = stack.admin().get(&path).await.expect(200);
        let over = !["pending", "running"].contains(&now["state"].as_str()?);
        over.then_some(now)
    })
    .await;
    let workflow = done["workflow"]["id"].as_str().expect("an id");
    closed(stack, workflow).await;
    world::assert_sound(stack, &orgs).await;
    let again = world::bill(stack, &start, &end, None).await;
    assert_eq!(again["accounts_parked"], json!(0), "{strike:?}");
    world::assert_sound(stack, &orgs).await;
    for org in orgs {
        let owed = world::accounts(stack, org).await;
        assert_eq!(owed["receivable"], -1_000_000, "{strike:?}");
    }
}

/// Organizations that used a GPU for an hour, at one unit.
async fn customers(stack: &Stack, start: &str) -> Vec<Uuid> {
    let (sku, start) = (world::sku(stack).await, micros(start));
    let rate = Rate {
        sku: sku.clone(),
        currency: "USD",
        micros: 1_000_000,
        start,
        end: None,
    };
    world::price(stack, &rate).await;
    let mut uses = Vec::new();
    for _ in 0..3 {
        uses.push(Use {
            org: world::organization(stack, "USD").await,
            project: Uuid::from_u128(1),
            sku: sku.clone(),
            quantity: 1,
            start,
            end: start + HOUR,
        });
    }
    world::record(stack, &uses).await;
    uses.into_iter().map(|one| one.org).collect()
}
