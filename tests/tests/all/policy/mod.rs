//! Policies: in force with the answer where they were written, within seconds on every replica,
//! kept with their history, and refused when they make no sense.

mod replicas;

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Api, Tenant, stack};

const RULES: &str = "/api/v1/admin/authorization-policies";
const GPUS: &str = "/api/v1/admin/policies/allocation.gpus_max";
/// More than a poll of five seconds, on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(30);

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// A rule of the tenant's organization that forbids him an action.
fn forbid(tenant: &Tenant, action: &str) -> Value {
    json!({
        "name": format!("no {action}"),
        "organization_id": tenant.org_id,
        "policy": format!(
            "forbid (principal, action == Berth::Action::\"{action}\", resource in Berth::Organization::\"{}\");",
            tenant.org_id
        ),
    })
}

async fn new_project(api: &Api) -> tests::Answer {
    let name = uuid::Uuid::from_u128(rand::random()).to_string();
    api.post("/api/v1/projects", &json!({"name": name})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_rule_holds_for_its_organization_until_it_is_taken_away() {
    let stack = stack().await;
    let (tenant, other, admin) = (
        Tenant::new(stack).await,
        Tenant::new(stack).await,
        stack.admin(),
    );
    tenant.api.get(RULES).await.problem(403, "forbidden");
    new_project(&tenant.api).await.expect(201);
    let wish = forbid(&tenant, "project.create");
    tenant
        .api
        .post(RULES, &wish)
        .await
        .problem(403, "forbidden");
    let made = admin.post_as(&tenant.org_id, RULES, &wish).await;
    let rule = made.expect(201);
    let again = admin.post_as(&tenant.org_id, RULES, &wish).await;
    assert_eq!(again.expect(201)["id"], rule["id"]);
    assert_eq!(again.header("idempotency-replayed"), "true");
    admin.post(RULES, &wish).await.problem(409, "name_taken");
    new_project(&tenant.api).await.problem(403, "forbidden");
    new_project(&other.api).await.expect(201);

    let path = format!("{RULES}/{}", text(&rule["id"]));
    assert_eq!(made.header("location"), path);
    let got = admin.get(&path).await;
    assert_eq!(got.expect(200)["policy"], wish["policy"]);
    let list = format!("{RULES}?organization_id={}", tenant.org_id);
    let items = admin.get(&list).await.expect(200)["items"].clone();
    assert_eq!(items.as_array().map(Vec::len), Some(1));

    // Reads can be forbidden as well.
    let change = json!({"policy": forbid(&tenant, "project.read")["policy"]});
    let blind = admin.request(Method::PATCH, &path).json(&change);
    admin
        .send(blind)
        .await
        .problem(428, "precondition_required");
    admin
        .patch(&path, "\"v9\"", &change)
        .await
        .problem(412, "precondition_failed");
    admin
        .patch(&path, got.header("etag"), &change)
        .await
        .expect(200);
    new_project(&tenant.api).await.expect(201);
    tenant
        .api
        .get("/api/v1/projects")
        .await
        .problem(403, "forbidden");
    tenant.api.get("/api/v1/ssh-keys").await.expect(200);

    admin.delete(&path).await.expect(204);
    tenant.api.get("/api/v1/projects").await.expect(200);
    admin.get(&path).await.problem(404, "not_found");
    admin.delete(&path).await.problem(404, "not_found");

    let history = format!("/api/v1/admin/policy-changes?subject={}", text(&rule["id"]));
    let changes = admin.get(&history).await.expect(200)["items"].clone();
    let contents: Vec<&Value> = changes
        .as_array()
        .expect("a list")
        .iter()
        .map(|c| &c["content"]["policy"])
        .collect();
    assert_eq!(contents, [&Value::Null, &change["policy"], &wish["policy"]]);
    let me = admin.get("/api/v1/me").await.expect(200)["user"]["id"].clone();
    for at in 0..3 {
        assert_eq!(changes[at]["changed_by"], me);
        assert_eq!(changes[at]["scope"], json!(tenant.org_id));
    }
    let audited: Vec<String> = sqlx::query_scalar(
        "select action from audit_logs where resource_id = $1 and outcome = 'allowed' order by id",
    )
    .bind(text(&rule["id"]))
    .fetch_all(&stack.database().await)
    .await
    .expect("the log");
    assert_eq!(
        audited,
        ["create", "update", "delete"].map(|verb| format!("authorization_policy.{verb}"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pol_05_a_policy_that_makes_no_sense_is_refused_when_written() {
    let stack = stack().await;
    let (tenant, admin) = (Tenant::new(stack).await, stack.admin());
    let org = format!("Berth::Organization::\"{}\"", tenant.org_id);
    for (policy, says) in [
        (
            "forbid (principal, action, resource".to_owned(),
            "unexpected end of input",
        ),
        (
            format!("forbid (principal, action == Berth::Action::\"a.b\", resource in {org});"),
            "unrecognized action",
        ),
        (
            format!("forbid (principal, action, resource in {org}) when {{ principal.hat }};"),
            "attribute",
        ),
        (
            "forbid (principal, action, resource);".to_owned(),
            "in its head",
        ),
        ("x".repeat(8193), "8192 bytes"),
    ] {
        let body = json!({"name": "bad", "organization_id": tenant.org_id, "policy": policy});
        let problem = admin
            .post(RULES, &body)
            .await
            .problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/policy", "{problem}");
        let detail = text(&problem["errors"][0]["detail"]);
        assert!(detail.contains(says), "{policy}: {detail}");
    }
    let nowhere = "org_00000000000000000000000000000000";
    let policy =
        format!("forbid (principal, action, resource in Berth::Organization::\"{nowhere}\");");
    let body = json!({"name": "bad", "organization_id": nowhere, "policy": policy});
    let problem = admin
        .post(RULES, &body)
        .await
        .problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/organization_id");
    let sound = admin.post(RULES, &forbid(&tenant, "project.create")).await;
    let path = format!("{RULES}/{}", text(&sound.expect(201)["id"]));
    let worse = json!({"policy": "permit (principal, action, resource);"});
    let problem = admin
        .patch(&path, "*", &worse)
        .await
        .problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/policy");
    admin.delete(&path).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_has_only_so_many_rules() {
    let stack = stack().await;
    let (tenant, admin) = (Tenant::new(stack).await, stack.admin());
    let rule = |n: usize| {
        let mut body = forbid(&tenant, "project.create");
        body["name"] = json!(format!("rule {n}"));
        body
    };
    for n in 0..api::policy::MOST_PER_ORGANIZATION {
        admin.post(RULES, &rule(n)).await.expect(201);
    }
    admin
        .post(RULES, &rule(99))
        .await
        .problem(409, "limit_reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn pol_02_a_change_its_version_and_its_trace_are_one_and_only_key_and_version_are_told() {
    let stack = stack().await;
    let (tenant, admin) = (Tenant::new(stack).await, stack.admin());
    let nats = async_nats::connect(stack.env("NATS_URL"))
        .await
        .expect("NATS answers");
    let mut told = nats
        .subscribe("policy.invalidate.allocation.gpus_max")
        .await
        .expect("it listens");
    nats.flush().await.expect("it listens");
    let value = 7_000 + rand::random_range(0..1_000_i64);
    let body = json!({"value": value, "scope": tenant.project_id});
    admin.put(GPUS, &body).await.expect(200);
    // In force with the answer, where it was written.
    let over = tenant.allocation_body(stack, 1);
    let lower = json!({"value": 0, "scope": tenant.project_id});
    admin.put(GPUS, &lower).await.expect(200);
    let refused = tenant.api.post("/api/v1/allocations", &over).await;
    assert_eq!(
        refused.problem(422, "invalid_request")["errors"][0]["pointer"],
        "/gpu_count"
    );

    let history = "/api/v1/admin/policy-changes?subject=allocation.gpus_max&limit=200";
    let changes = admin.get(history).await.expect(200)["items"].clone();
    let mine: Vec<&Value> = changes
        .as_array()
        .expect("a list")
        .iter()
        .filter(|change| change["scope"] == json!(tenant.project_id))
        .collect();
    assert_eq!(
        mine.iter().map(|c| &c["content"]).collect::<Vec<_>>(),
        [&json!(0), &json!(value)]
    );
    let versions: Vec<i64> = mine.iter().filter_map(|c| c["version"].as_i64()).collect();
    assert!(versions[0] > versions[1], "{versions:?}");
    let notice = tokio::time::timeout(LIMIT, async {
        loop {
            let notice = told.next().await.expect("NATS stays");
            let said: Value = serde_json::from_slice(&notice.payload).expect("JSON");
            if said["version"].as_i64() >= Some(versions[0]) {
                return said;
            }
        }
    })
    .await
    .expect("it is told");
    let members: Vec<&String> = notice.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["key", "version"]);
    assert_eq!(notice["key"], "allocation.gpus_max");
    // A write that is refused moves nothing.
    let now = || async {
        sqlx::query_scalar::<_, i64>("select count(*) from policy_changes where scope_id = $1")
            .bind(
                tenant
                    .project_id
                    .parse::<domain::id::ProjectId>()
                    .expect("an id")
                    .uuid(),
            )
            .fetch_one(&stack.database().await)
            .await
            .expect("the trace")
    };
    let before = now().await;
    admin
        .put(GPUS, &json!({"value": -1, "scope": tenant.project_id}))
        .await
        .expect(422);
    assert_eq!(now().await, before);
}
