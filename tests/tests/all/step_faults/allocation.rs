//! The workflow `Allocation`: each step on a way that passes it.

use serde_json::{Value, json};
use tests::planned::{Fault, PlannedWorker, Strike};
use tests::{Stack, Tenant};

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
    /// Nobody has room for it.
    NoRoom,
    /// Its first node is found bad.
    BadNode,
    /// It cannot be taken away at first, and its tenant tries again.
    Stuck,
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
    (Way::NoRoom, &["allocation.fail"]),
    (Way::BadNode, &["capacity.give_back"]),
    (Way::Stuck, &["allocation.fail_release"]),
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
    /// Others would ask for capacity on its behalf.
    pub(super) fn is_lonely(&self) -> bool {
        self.strike.step == "capacity.assign"
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
            Way::Stuck => bad("access.prove_removed", 3),
            _ => Vec::new(),
        };
        [first, vec![self.strike]].concat()
    }

    async fn body(&self, stack: &Stack) -> Value {
        let mut body = self.tenant.allocation_body(stack, 1);
        match self.way {
            Way::Expired => body["lease_seconds"] = json!(1),
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
            let extended = api.post(&format!("{path}:extend"), &wish).await.expect(202);
            let extended = api.finished(&extended, LIMIT).await;
            assert!(
                cancelled || extended["state"] == "succeeded",
                "{what}: {extended}"
            );
        }
        Way::Nonsense => nonsense(stack, case.tenant, &id).await,
        _ => {}
    }
    if case.way != Way::Expired {
        // It may have ended already.
        api.delete(&path).await;
    }
    if case.way == Way::Stuck {
        // A failure that could not be written down is tried once more, and that succeeds.
        let stuck = api.allocation_in(&id, &["release_failed", "released"], LIMIT);
        if stuck.await["state"] == "release_failed" {
            let again = format!("{path}:retry-release");
            let again = api.post(&again, &Value::Null).await.expect(202);
            api.finished(&again, LIMIT).await;
        }
    }
    let ended = api.allocation_in(&id, &["released", "failed"], LIMIT).await;
    closed(stack, &workflow).await;
    assert_eq!(worker.missed(&workflow), [], "{what}");
    stack.assert_clean(&id).await;
    assert_billed_once(stack, &ended).await;
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

/// Whoever got a machine has one interval, which ends when the end was asked for; nobody else has
/// any.
async fn assert_billed_once(stack: &Stack, allocation: &Value) {
    let id = allocation["id"].as_str().expect("an id");
    let (intervals, sound): (i64, bool) = sqlx::query_as(
        "select count(u.id),
                count(u.id) = (a.active_at is not null)::int
                and coalesce(bool_and(upper(u.period) = a.release_requested_at), true)
         from allocations a left join usage_intervals u on u.allocation_id = a.id
         where a.id = $1::uuid group by a.id",
    )
    .bind(id.rsplit('_').next().expect("an id"))
    .fetch_one(&stack.database().await)
    .await
    .expect("its usage");
    assert!(sound, "{intervals} intervals of {allocation}");
}
