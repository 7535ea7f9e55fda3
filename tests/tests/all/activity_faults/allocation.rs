//! The workflow `Allocation`: each step on a way that passes it.

use serde_json::{Value, json};
use tests::planned::{Fault, PlannedWorker, Strike};
use tests::{Stack, Tenant, eventually};

use super::{LIMIT, closed};
use crate::delivery::plant_intent;
use crate::idle;

/// What happens to an allocation, so that it passes a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is used and deleted.
    Used,
    /// Its lease ends.
    Expired,
    Extended,
    /// Its lease is about to end.
    Warned,
    /// Its GPU is found bad, and well again later.
    Degraded,
    /// Nobody has room for it.
    NoRoom,
    /// Its first node is found bad.
    BadNode,
    /// It cannot be taken away at first, and its tenant tries again.
    Stuck,
    /// It cannot be taken away, and an operator gives it up.
    GivenUp,
    /// It is ordered to do what makes no sense.
    Nonsense,
}

const WAYS: &[(Way, &[&str])] = &[
    (
        Way::Used,
        &[
            "allocation.load",
            "allocation.admit",
            "capacity.assign",
            "node.preflight",
            "access.install",
            "access.accept",
            "allocation.activate",
            "allocation.begin_release",
            "access.remove",
            "access.prove_removed",
            "allocation.finish_release",
        ],
    ),
    (Way::Expired, &["allocation.request_release"]),
    (Way::Extended, &["operation.next", "lease.extend"]),
    (Way::Degraded, &["allocation.degrade", "allocation.recover"]),
    (Way::Warned, &["lease.warn"]),
    (Way::NoRoom, &["allocation.fail"]),
    (Way::BadNode, &["capacity.give_back"]),
    (Way::Stuck, &["allocation.fail_release"]),
    (Way::GivenUp, &["allocation.give_up"]),
    (Way::Nonsense, &["operation.reject"]),
];

/// One allocation and what befalls it.
pub(super) struct Case<'a> {
    way: Way,
    strike: Strike,
    tenant: &'a Tenant,
}

pub(super) fn steps() -> impl Iterator<Item = &'static str> {
    WAYS.iter().flat_map(|(_, steps)| steps.iter().copied())
}

/// Every step with every fault.
pub(super) async fn cases(stack: &Stack) -> Vec<Case<'static>> {
    let tenant: &'static Tenant = Box::leak(Box::new(Tenant::new(stack).await));
    let scope = &tenant.org_id;
    for (key, value) in [
        ("allocation.gpus_max", 10_000),
        // Three tries, so that three faults in a row exhaust it.
        ("allocation.release_retry_seconds", 2),
    ] {
        let path = format!("/api/v1/admin/policies/{key}");
        let body = json!({"scope": scope, "value": value});
        stack.admin().put(&path, &body).await.expect(200);
    }
    let mut cases = Vec::new();
    for (way, steps) in WAYS {
        for step in *steps {
            cases.extend(Fault::ALL.map(|fault| Case {
                way: *way,
                strike: Strike { step, fault },
                tenant,
            }));
        }
    }
    cases
}

impl Case<'_> {
    /// Others would ask for capacity on its behalf, or be told of its machine's fault.
    pub(super) fn is_lonely(&self) -> bool {
        self.strike.step == "capacity.assign" || self.way == Way::Degraded
    }

    fn strikes(&self) -> Vec<Strike> {
        let bad = |step, times| {
            vec![
                Strike {
                    step,
                    fault: Fault::Before
                };
                times
            ]
        };
        let first = match self.way {
            Way::BadNode => bad("node.preflight", 1),
            Way::Stuck | Way::GivenUp => bad("access.prove_removed", 3),
            _ => Vec::new(),
        };
        [first, vec![self.strike]].concat()
    }

    async fn body(&self, stack: &Stack) -> Value {
        let mut body = self.tenant.allocation_body(stack, 1);
        match self.way {
            Way::Expired => body["lease_seconds"] = json!(1),
            // An hour is the last warning's distance.
            Way::Warned => body["lease_seconds"] = json!(3_601),
            Way::NoRoom => return idle::hasty(stack, self.tenant).await,
            _ => {}
        }
        body
    }
}

pub(super) async fn run(stack: &Stack, worker: &PlannedWorker, case: Case<'_>) {
    let api = &case.tenant.api;
    let body = case.body(stack).await;
    let made = api.post("/api/v1/allocations", &body).await.expect(202);
    let id = made["resource"]["id"].as_str().expect("an id").to_owned();
    let workflow = format!("allocation/{id}");
    worker.plan(&workflow, &case.strikes());
    let what = format!("{:?} {:?}", case.way, case.strike);

    let created = api.finished(&made, LIMIT).await;
    let cancelled = case.strike.fault == Fault::Cancel;
    let wanted: &[&str] = match case.way {
        Way::NoRoom if cancelled => &["failed", "cancelled"],
        Way::NoRoom => &["failed"],
        _ if cancelled => &["succeeded", "cancelled"],
        _ => &["succeeded"],
    };
    let state = created["state"].as_str().expect("a state");
    assert!(wanted.contains(&state), "{what}: {created}");

    let path = format!("/api/v1/allocations/{id}");
    match case.way {
        Way::Extended => {
            let wish = json!({"lease_seconds": 60});
            let extended = api.post(&format!("{path}:extend"), &wish).await;
            if !cancelled || extended.status == 202 {
                let extended = api.finished(&extended.expect(202), LIMIT).await;
                let done = extended["state"] == "succeeded";
                assert!(done || cancelled, "{what}: {extended}");
            }
        }
        Way::Warned => {
            eventually("the warning", LIMIT, || async {
                let told = api.get(&format!("{path}/events")).await.text;
                let now = case.tenant.allocation(&id).await;
                let ended = cancelled && now["state"] == "released";
                (told.contains("allocation.lease_ending") || ended).then_some(())
            })
            .await;
        }
        Way::Degraded => degraded(stack, case.tenant, &id, cancelled).await,
        Way::Nonsense => nonsense(stack, case.tenant, &id).await,
        _ => {}
    }
    if case.way != Way::Expired {
        // It may have ended already.
        api.delete(&path).await;
    }
    if case.way == Way::Stuck {
        // A failure that could not be written down is tried once more, and that succeeds.
        let failed = api.allocation_in(&id, &["release_failed", "released"], LIMIT);
        if failed.await["state"] == "release_failed" {
            let again = format!("{path}:retry-release");
            let again = api.post(&again, &Value::Null).await.expect(202);
            api.finished(&again, LIMIT).await;
        }
    }
    if case.way == Way::GivenUp {
        given_up(stack, case.tenant, &id).await;
    }
    let ended = api.allocation_in(&id, &["released", "failed"], LIMIT).await;
    closed(stack, &workflow).await;
    assert_eq!(worker.missed(&workflow), [], "{what}");
    stack.assert_clean(&id).await;
    assert_billed_once(stack, &ended, case.way == Way::Degraded).await;
    if case.strike.fault == Fault::Twice {
        assert_once(stack, &ended, case.way).await;
    }
}

/// A step that ran twice has the effect of once: nothing is told twice, no machine is given up, the
/// lease is extended by what was asked for.
async fn assert_once(stack: &Stack, allocation: &Value, way: Way) {
    let id = allocation["id"].as_str().expect("an id");
    let (told_twice, tries, lease): (Vec<String>, i32, Option<i64>) = sqlx::query_as(
        "select array(select type from outbox_events where aggregate_id = a.id
                      group by type having count(*) > 1),
                attempts, extract(epoch from lease_ends_at - active_at)::bigint
         from allocations a where id = $1::uuid",
    )
    .bind(id.rsplit('_').next().expect("an id"))
    .fetch_one(&stack.database().await)
    .await
    .expect("its row");
    let (again, wanted) = match way {
        Way::BadNode => (2, 2),
        Way::Stuck => (1, 1),
        Way::NoRoom => (0, 0),
        _ => (0, 1),
    };
    assert_eq!(told_twice.len(), again, "{way:?}: {told_twice:?}");
    assert_eq!(tries, wanted, "{way:?}: {allocation}");
    let extended = match way {
        Way::Extended => 3_660,
        Way::Expired => 1,
        Way::Warned => 3_601,
        _ => 3_600,
    };
    assert_eq!(lease.unwrap_or(extended), extended, "{way:?}: {allocation}");
}

/// Writes down what a health sweep would have found, and later that it is gone.
async fn degraded(stack: &Stack, tenant: &Tenant, id: &str, cancelled: bool) {
    let row = id.rsplit('_').next().expect("an id");
    let workflow = format!("allocation/{id}");
    for (fault, state) in [(Some("gpu_missing"), "degraded"), (None, "active")] {
        sqlx::query(
            "insert into node_health (node_id, fault, fault_since)
             select node_id, $2, case when $2 is not null then clock_timestamp() end
             from allocation_nodes where allocation_id = $1::uuid and released_at is null
             on conflict (node_id) do update
               set fault = excluded.fault, fault_since = excluded.fault_since, fault_gpus = null",
        )
        .bind(row)
        .bind(fault)
        .execute(&stack.database().await)
        .await
        .expect("a machine's health");
        plant_intent(stack, ("wake", "Allocation"), &workflow, None, 0).await;
        let states = [state, "released"];
        let states = if cancelled { &states[..] } else { &states[..1] };
        tenant.api.allocation_in(id, states, LIMIT).await;
    }
}

/// An operator gives it up, and its node is checked.
async fn given_up(stack: &Stack, tenant: &Tenant, id: &str) {
    tenant
        .api
        .allocation_in(id, &["release_failed"], LIMIT)
        .await;
    let admin = stack.admin();
    let operations = format!("/api/v1/operations?resource_id={id}");
    let operations = tenant.api.get(&operations).await.expect(200);
    let operation = operations["items"][0]["id"].as_str().expect("an id");
    let path = format!("/api/v1/admin/operations/{operation}:force-release");
    let forced = admin
        .post(&path, &json!({"reason": "a test"}))
        .await
        .expect(202);
    admin.finished(&forced, LIMIT).await;
    eventually("what may be left of it is cleared away", LIMIT, || async {
        let open = "select count(*) from allocation_nodes
                    where allocation_id = $1::uuid and unproved_at is not null";
        let open = sqlx::query_scalar::<_, i64>(open).bind(id.rsplit('_').next().expect("an id"));
        (open.fetch_one(&stack.database().await).await.ok()? == 0).then_some(())
    })
    .await;
}

/// An order that no route takes: to try the release of a running allocation again.
async fn nonsense(stack: &Stack, tenant: &Tenant, id: &str) {
    let operation: domain::id::OperationId = db::id::fresh();
    let row = id.rsplit('_').next().expect("an id");
    sqlx::query(
        "insert into operations (id, org_id, kind, resource_kind, resource_id, workflow_id, deadline_at)
         select $1, org_id, 'allocation.retry_release', 'allocation', id, $3, now() + interval '1 hour'
         from allocations where id = $2::uuid",
    )
    .bind(operation.uuid())
    .bind(row)
    .bind(format!("allocation/{id}"))
    .execute(&stack.database().await)
    .await
    .expect("an operation");
    let workflow = format!("allocation/{id}");
    plant_intent(
        stack,
        ("wake", "Allocation"),
        &workflow,
        Some(operation.uuid()),
        0,
    )
    .await;
    let ended = tenant.api.finished(&json!({"id": operation}), LIMIT).await;
    assert_ne!(ended["state"], "succeeded", "{ended}");
}

/// Whoever got a machine has one interval, which ends when the end was asked for, or, where the
/// machine was bad for a while, one before and one after that; nobody else has any.
async fn assert_billed_once(stack: &Stack, allocation: &Value, was_bad: bool) {
    let id = allocation["id"].as_str().expect("an id");
    let (intervals, active, to_the_end): (i64, bool, bool) = sqlx::query_as(
        "select count(u.id), a.active_at is not null,
                coalesce(max(upper(u.period)) = a.release_requested_at, true)
         from allocations a left join usage_intervals u on u.allocation_id = a.id
         where a.id = $1::uuid group by a.id",
    )
    .bind(id.rsplit('_').next().expect("an id"))
    .fetch_one(&stack.database().await)
    .await
    .expect("its usage");
    let sound = match (active, was_bad) {
        (false, _) => intervals == 0,
        (true, false) => intervals == 1 && to_the_end,
        (true, true) => (1..=2).contains(&intervals),
    };
    assert!(sound, "{intervals} intervals of {allocation}");
}
