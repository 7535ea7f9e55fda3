//! Several replicas: all of them follow, with the bus and without, and none goes by nonsense.

use std::time::Duration;

use serde_json::json;
use tests::{Api, Replica, Stack, Tenant, eventually, rough_stack, stack};

use super::{GPUS, LIMIT, RULES, forbid, new_project, text};

/// How often a process took over a new version, by what told it.
async fn taken_over(api: &Api, source: &str) -> u64 {
    let metrics = api.with_key(None).get("/metrics").await.text;
    let name = format!("policy_cache_invalidations_total{{source=\"{source}\"}} ");
    metrics
        .lines()
        .find_map(|line| line.strip_prefix(&name)?.parse().ok())
        .unwrap_or(0)
}

/// Every replica refuses, then every replica allows again; `by` is what tells them.
async fn enforced_everywhere(stack: &Stack, replicas: &[&Api], by: &str) {
    let (tenant, admin) = (Tenant::new(stack).await, stack.admin());
    let mut before = Vec::new();
    for replica in replicas {
        before.push(taken_over(replica, by).await);
    }
    let made = admin.post(RULES, &forbid(&tenant, "project.create")).await;
    let path = format!("{RULES}/{}", text(&made.expect(201)["id"]));
    // Where it was written, at once.
    new_project(&tenant.api).await.problem(403, "forbidden");
    let all = |status: u16| {
        let key = tenant.key.clone();
        async move {
            for replica in replicas {
                let api = replica.with_key(Some(&key));
                eventually(&format!("{status} on each replica"), LIMIT, || async {
                    (new_project(&api).await.status == status).then_some(())
                })
                .await;
            }
        }
    };
    all(403).await;
    // Values are of the same version: a limit of none is in force as well.
    let wish = tenant.allocation_body(stack, 1);
    admin
        .put(GPUS, &json!({"value": 0, "scope": tenant.org_id}))
        .await
        .expect(200);
    for replica in replicas {
        let api = replica.with_key(Some(&tenant.key));
        eventually("the value on each replica", LIMIT, || async {
            (api.post("/api/v1/allocations", &wish).await.status == 422).then_some(())
        })
        .await;
    }
    admin.delete(&path).await.expect(204);
    all(201).await;
    for (replica, before) in replicas.iter().zip(before) {
        assert!(
            taken_over(replica, by).await > before,
            "told by something else than {by}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pol_03_three_replicas_enforce_a_change_with_the_bus_and_without() {
    let stack = rough_stack().await;
    let (second, third) = (
        Replica::start(&stack, &[]).await,
        Replica::start(&stack, &[]).await,
    );
    let (second_api, third_api) = (second.api(None), third.api(None));
    let others = [&second_api, &third_api];
    enforced_everywhere(&stack, &others, "bus").await;
    stack.control("stop", "nats").await;
    enforced_everywhere(&stack, &others, "poll").await;
    stack.control("start", "nats").await;
    // And again by the bus, once it is found again.
    let admin = stack.admin();
    eventually("the bus tells again", LIMIT, || async {
        let before = taken_over(&second_api, "bus").await;
        let value = rand::random_range(1..1_000);
        admin.put(GPUS, &json!({"value": value})).await.expect(200);
        tokio::time::timeout(Duration::from_secs(2), async {
            while taken_over(&second_api, "bus").await == before {
                tokio::task::yield_now().await;
            }
        })
        .await
        .ok()
    })
    .await;
    admin.put(GPUS, &json!({"value": 64})).await.expect(200);
}

/// A word on the bus that is none of ours is counted and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn pol_04_nonsense_on_the_bus_is_ignored_and_counted() {
    let stack = rough_stack().await;
    let api = stack.api(None);
    let count = || async {
        let metrics = api.get("/metrics").await.text;
        let name = "policy_invalidations_malformed_total ";
        metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let before = count().await;
    let nats = async_nats::connect(stack.env("NATS_URL"))
        .await
        .expect("NATS answers");
    let nonsense: [&[u8]; 4] = [
        b"",
        b"\xff\xfe",
        b"{\"key\":\"a\"}",
        b"{\"key\":\"a\",\"version\":-1}",
    ];
    for payload in nonsense {
        nats.publish("policy.invalidate.x", payload.to_vec().into())
            .await
            .expect("it is said");
    }
    // A version from nowhere makes each replica look, and find that there is nothing.
    let lie = json!({"key": "x", "version": i64::MAX}).to_string();
    nats.publish("policy.invalidate.x", lie.into())
        .await
        .expect("it is said");
    nats.flush().await.expect("it is said");
    eventually("nonsense is counted", LIMIT, || async {
        (count().await >= before + 4).then_some(())
    })
    .await;
    let tenant = Tenant::new(&stack).await;
    new_project(&tenant.api).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn pol_05_an_invalid_row_keeps_the_last_good_policy_and_starts_nobody() {
    let stack = rough_stack().await;
    let (tenant, admin, database) = (
        Tenant::new(&stack).await,
        stack.admin(),
        stack.database().await,
    );
    let id: domain::id::AuthorizationPolicyId = db::id::fresh();
    sqlx::query("insert into authorization_policies (id, name, policy) values ($1, 'spoilt', 'permit (nonsense);')")
        .bind(id.uuid())
        .execute(&database)
        .await
        .expect("past the API");
    let anybody = stack.api(None);
    eventually("the failure is counted", LIMIT, || async {
        let metrics = anybody.get("/metrics").await.text;
        metrics
            .contains("policy_load_failures_total{reason=\"invalid\"}")
            .then_some(())
    })
    .await;
    new_project(&tenant.api).await.expect(201);

    // One that starts now has no last good one: it refuses everything, as a fault of its own.
    let fresh = Replica::launch(&stack, &[]).await;
    let its = fresh.api(Some(&tenant.key));
    let refused = its.get("/api/v1/projects").await;
    refused.problem(503, "unavailable");
    assert!(!refused.header("retry-after").is_empty());
    let ready = fresh.api(None).get("/readyz").await.expect(503);
    assert_eq!(
        ready["dependencies"]["policies"],
        "policies were not loaded yet"
    );
    assert_eq!(ready["dependencies"]["postgres"], "ok");
    // Except for whoever mends it.
    let operator = fresh.api(Some(stack.env("BERTH_ADMIN_KEY")));
    operator
        .get("/api/v1/admin/nodes")
        .await
        .problem(503, "unavailable");
    its.delete(&format!("{RULES}/{id}"))
        .await
        .problem(403, "forbidden");
    operator.delete(&format!("{RULES}/{id}")).await.expect(204);
    its.get("/api/v1/projects").await.expect(200);
    fresh.api(None).get("/readyz").await.expect(200);
    admin.get(RULES).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pol_05_without_postgres_the_api_starts_and_answers_503_not_403() {
    let stack = stack().await;
    let nowhere = "postgres://nobody@127.0.0.1:1/none";
    let replica = Replica::launch(stack, &[("DATABASE_URL", nowhere)]).await;
    replica.api(None).get("/livez").await.expect(200);
    let ready = replica.api(None).get("/readyz").await.expect(503);
    assert_eq!(
        ready["dependencies"]["policies"],
        "policies were not loaded yet"
    );
    let owner = replica.api(Some(stack.env("BERTH_API_KEY")));
    owner
        .get("/api/v1/projects")
        .await
        .problem(503, "unavailable");
    replica.kill().await;
}
