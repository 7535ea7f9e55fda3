//! Billing runs that are killed, doubled, repeated, made up for, called off, or meet an account that
//! cannot be billed.

use serde_json::json;
use temporalio_client::schedules::{
    BackfillScheduleOptions, ScheduleBackfill, ScheduleOverlapPolicy,
};
use tests::{Stack, eventually, rough_stack, stack};
use uuid::Uuid;

use super::world::{self, LIMIT, Rate, Use, at, micros};

const HOUR: i64 = 3_600_000_000;

/// Organizations that each used one GPU of a SKU for a day, at three units an hour.
async fn customers(stack: &Stack, count: usize, start: &str) -> (Vec<Uuid>, String) {
    let sku = world::sku(stack).await;
    let start = micros(start);
    let rate = Rate {
        sku: sku.clone(),
        currency: "USD",
        micros: 3_000_000,
        start: micros("2000-01-01T00:00:00Z"),
        end: None,
    };
    world::price(stack, &rate).await;
    let mut uses = Vec::new();
    for _ in 0..count {
        uses.push(Use {
            org: world::organization(stack, "USD").await,
            project: Uuid::from_u128(1),
            sku: sku.clone(),
            quantity: 1,
            start,
            end: start + 24 * HOUR,
        });
    }
    world::record(stack, &uses).await;
    (uses.into_iter().map(|one| one.org).collect(), sku)
}

async fn claims(stack: &Stack, orgs: &[Uuid]) -> i64 {
    sqlx::query_scalar("select count(*) from billing_claims where org_id = any($1)")
        .bind(orgs)
        .fetch_one(&stack.database().await)
        .await
        .expect("a count")
}

async fn batches_of(stack: &Stack, accounts: u32) {
    let body = json!({"scope": "platform", "value": accounts});
    let path = "/api/v1/admin/policies/billing.batch_accounts";
    stack.admin().put(path, &body).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_again_and_again_posts_each_line_once() {
    let stack = rough_stack().await;
    let (start, end) = ("2005-05-01T00:00:00Z", "2005-06-01T00:00:00Z");
    let (orgs, _) = customers(&stack, 60, start).await;
    batches_of(&stack, 2).await;
    let asked = world::ask(&stack, start, end, None).await;
    for kill in 1..=5 {
        eventually("accounts are billed", LIMIT, || async {
            (claims(&stack, &orgs).await > kill * 8).then_some(())
        })
        .await;
        let before = stack.pid("worker");
        stack.kill("worker");
        eventually("another worker", LIMIT, || async {
            let now = stack.pid("worker");
            (now.is_some() && now != before).then_some(())
        })
        .await;
    }
    let done = stack.admin().finished(&asked, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    assert_eq!(claims(&stack, &orgs).await, 60);
    world::assert_sound(&stack, &orgs).await;
    let before = world::rows(&stack, &orgs).await;
    let (one, twin) = tokio::join!(
        world::bill(&stack, start, end, None),
        world::bill(&stack, start, end, None)
    );
    assert_eq!(
        (&one["invoices_issued"], &twin["invoices_issued"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(world::rows(&stack, &orgs).await, before);
    for org in orgs {
        assert_eq!(
            world::accounts(&stack, org).await["receivable"],
            -72_000_000
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_bill_each_account_once() {
    let stack = stack().await;
    let (start, end) = ("2006-05-01T00:00:00Z", "2006-06-01T00:00:00Z");
    let (orgs, _) = customers(stack, 20, start).await;
    let runs =
        futures::future::join_all((0..4).map(|_| world::bill(stack, start, end, None))).await;
    let invoices: i64 = runs
        .iter()
        .map(|run| run["invoices_issued"].as_i64().expect("a count"))
        .sum();
    assert_eq!(invoices, 20, "{runs:?}");
    assert_eq!(claims(stack, &orgs).await, 20);
    world::assert_sound(stack, &orgs).await;
}

/// The schedule makes up for 24 months; each month has its own bill, twice asked for.
#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_bills_months_that_have_passed() {
    let stack = stack().await;
    let sku = world::sku(stack).await;
    let (start, end) = (
        micros("2010-01-01T00:00:00Z"),
        micros("2012-01-01T00:00:00Z"),
    );
    let rate = Rate {
        sku: sku.clone(),
        currency: "USD",
        micros: 1_000_000,
        start,
        end: None,
    };
    world::price(stack, &rate).await;
    let one = Use {
        org: world::organization(stack, "USD").await,
        project: Uuid::from_u128(1),
        sku,
        quantity: 1,
        start,
        end,
    };
    let orgs = [one.org];
    world::record(stack, &[one]).await;
    let client = stack.temporal().await;
    let schedule = client.get_schedule_handle("billing");
    for round in 1..=2 {
        let day = 24 * HOUR;
        let span = ScheduleBackfill::new(at(start + day).into(), at(end + day).into())
            .overlap_policy(ScheduleOverlapPolicy::AllowAll)
            .build();
        schedule
            .backfill([span], BackfillScheduleOptions::default())
            .await
            .expect("the schedule takes it");
        eventually("all months are billed", LIMIT, || async {
            let ended: i64 = sqlx::query_scalar(
                "select count(*) from billing_runs where ended_at is not null and epoch is not null
                   and period <@ tstzrange($1, $2) and workflow_id like 'billing/scheduled-%'",
            )
            .bind(at(start))
            .bind(at(end))
            .fetch_one(&stack.database().await)
            .await
            .expect("a count");
            (ended == round * 24).then_some(())
        })
        .await;
    }
    assert_eq!(claims(stack, &orgs).await, 24);
    world::assert_sound(stack, &orgs).await;
    // An hour costs one unit, and two years have 17520 of them.
    assert_eq!(
        world::accounts(stack, orgs[0]).await["receivable"],
        -17_520_000_000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_billed_is_parked_and_the_run_goes_on() {
    let stack = stack().await;
    let (start, end) = ("2007-05-01T00:00:00Z", "2007-06-01T00:00:00Z");
    let (orgs, sku) = customers(stack, 3, start).await;
    let first = micros(start);
    let use_of = |org, sku: &str, quantity, end| Use {
        org,
        project: Uuid::from_u128(1),
        sku: sku.to_owned(),
        quantity,
        start: first,
        end,
    };
    // No price; a price for less than what was used; more money than can be counted.
    let unpriced = world::organization(stack, "EUR").await;
    let half = world::organization(stack, "JPY").await;
    let huge = world::organization(stack, "KWD").await;
    let rates = [
        ("JPY", 1_000_000, first + HOUR),
        ("KWD", 1_000_000_000_000, first),
    ];
    for (currency, micros, start) in rates {
        let (sku, end) = (sku.clone(), None);
        world::price(
            stack,
            &Rate {
                sku,
                currency,
                micros,
                start,
                end,
            },
        )
        .await;
    }
    let month = micros(end);
    let mut uses = vec![
        use_of(unpriced, &sku, 1, first + HOUR),
        use_of(half, &sku, 1, first + 2 * HOUR),
    ];
    uses.extend((0..400).map(|_| use_of(huge, &sku, 100_000, month)));
    world::record(stack, &uses).await;

    let run = world::bill(stack, start, end, None).await;
    assert_eq!(run["accounts_parked"], 3, "{run}");
    assert_eq!(claims(stack, &orgs).await, 3, "the others are billed");
    let path = format!("{}/parked-accounts", run_path(&run));
    let parked = stack.admin().get(&path).await.expect(200);
    let reason = |org: Uuid| {
        let id = json!(domain::id::OrgId::from(org));
        let all = parked["items"].as_array().expect("a list").iter();
        let mut mine = all.filter(move |one| one["organization_id"] == id);
        mine.next().map(|one| one["reason"].clone())
    };
    assert_eq!(reason(unpriced), Some(json!("no_price")), "{parked}");
    assert_eq!(reason(half), Some(json!("no_price")), "{parked}");
    assert_eq!(reason(huge), Some(json!("cannot_be_billed")), "{parked}");
    assert_eq!(claims(stack, &[unpriced, half, huge]).await, 0);

    let price = json!({"sku": sku, "per_gpu_hour": {"amount_micros": 1, "currency": "EUR"},
                       "effective_from": start, "reason": "forgotten"});
    stack
        .admin()
        .post("/api/v1/admin/prices", &price)
        .await
        .expect(201);
    let again = world::bill(stack, start, end, None).await;
    assert_eq!(
        (&again["invoices_issued"], &again["accounts_parked"]),
        (&json!(1), &json!(2)),
        "{again}"
    );
    assert_eq!(claims(stack, &[unpriced]).await, 1);
    let left = stack.admin().get(&path).await.expect(200);
    assert_eq!(left["items"], json!([]), "the later run has them");
}

fn run_path(run: &serde_json::Value) -> String {
    format!(
        "/api/v1/admin/billing-runs/{}",
        run["id"].as_str().expect("an id")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_across_another_is_refused_and_no_time_is_billed_twice() {
    let stack = stack().await;
    let (start, end) = ("2008-05-01T00:00:00Z", "2008-06-01T00:00:00Z");
    let (orgs, _) = customers(stack, 1, start).await;
    let org = domain::id::OrgId::from(orgs[0]);
    world::bill(stack, start, end, Some(orgs[0])).await;
    let path = "/api/v1/admin/billing-runs";
    let ask = |start: &str, end: &str| json!({"period_start": start, "period_end": end, "organization_id": org});
    // Everybody is billed by the month.
    let week = json!({"period_start": start, "period_end": "2008-05-08T00:00:00Z"});
    stack
        .admin()
        .post(path, &week)
        .await
        .problem(422, "invalid_request");
    let across = ask("2008-05-15T00:00:00Z", "2008-06-15T00:00:00Z");
    stack
        .admin()
        .post(path, &across)
        .await
        .problem(409, "conflict");
    for (start, end) in [
        (end, start),
        (start, start),
        ("2008-05-01T00:00:00Z", "2010-05-01T00:00:00Z"),
        ("2008-07-01T00:00:00.5Z", "2008-08-01T00:00:00Z"),
        ("0000-01-01T00:00:00+01:00", "0000-01-02T00:00:00Z"),
        ("9999-12-31T23:00:00-02:00", "9999-12-31T23:30:00-02:00"),
        ("2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z"),
    ] {
        let answer = stack.admin().post(path, &ask(start, end)).await;
        answer.problem(422, "invalid_request");
    }
    let nobody = json!({"period_start": start, "period_end": end,
                        "organization_id": domain::id::OrgId::from(Uuid::from_u128(9))});
    stack
        .admin()
        .post(path, &nobody)
        .await
        .problem(422, "invalid_request");
    stack
        .owner()
        .post(path, &ask(start, end))
        .await
        .problem(403, "forbidden");
}

/// What is billed stays, the rest is not begun.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_called_off_leaves_whole_bills() {
    let stack = rough_stack().await;
    let (start, end) = ("2009-05-01T00:00:00Z", "2009-06-01T00:00:00Z");
    let (orgs, _) = customers(&stack, 80, start).await;
    batches_of(&stack, 1).await;
    let asked = world::ask(&stack, start, end, None).await;
    eventually("accounts are billed", LIMIT, || async {
        (claims(&stack, &orgs).await > 5).then_some(())
    })
    .await;
    let id = asked["id"].as_str().expect("an id");
    let tenants = format!("/api/v1/operations/{id}:cancel");
    let why = json!({"reason": "a mistake"});
    stack
        .owner()
        .post(&tenants, &json!({}))
        .await
        .problem(404, "not_found");
    let cancel = format!("/api/v1/admin/operations/{id}:cancel");
    stack
        .owner()
        .post(&cancel, &why)
        .await
        .problem(403, "forbidden");
    stack.admin().post(&cancel, &why).await.expect(202);
    let done = stack.admin().finished(&asked, LIMIT).await;
    assert_eq!(done["state"], "cancelled", "{done}");
    let billed = claims(&stack, &orgs).await;
    assert!(billed < 80, "{billed} of 80");
    world::assert_sound(&stack, &orgs).await;
    batches_of(&stack, 500).await;
    world::bill(&stack, start, end, None).await;
    assert_eq!(claims(&stack, &orgs).await, 80);
    world::assert_sound(&stack, &orgs).await;
}
