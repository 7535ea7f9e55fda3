//! Limits of GPUs by SKU, and what a plan says of them.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Tenant, stack};

const LIMIT: Duration = Duration::from_mins(3);
const PATH: &str = "/api/v1/admin/quotas";
const PLAN: &str = "/api/v1/allocations:plan";

/// The first limit of a scope that names the SKU.
fn of<'a>(limits: &'a Value, scope: &Value) -> &'a Value {
    let limits = limits.as_array().expect("a list");
    let found = limits
        .iter()
        .find(|limit| limit["scope"] == *scope && limit["sku"].is_string());
    found.expect("the limit of that scope")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_told_beforehand_and_kept() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let sku = stack.env("BERTH_SKU");
    let (org, project) = (json!(tenant.org_id), json!(tenant.project_id));
    let whole = json!({"scope": org, "sku": sku, "gpus_max": 6});
    stack.admin().put(PATH, &whole).await.expect(200);
    let own = json!({"scope": project, "sku": sku, "gpus_max": 2});
    let own = stack.admin().put(PATH, &own).await.expect(200);
    assert_eq!(
        (&own["gpus_used"], &own["gpus_left"]),
        (&json!(0), &json!(2))
    );

    let ask = |gpus: u32| {
        json!({"project_id": project, "sku": sku, "gpu_count": gpus, "name": "plan",
               "ssh_key_ids": [tenant.ssh_key_id]})
    };
    let plan = tenant.api.post(PLAN, &ask(3)).await.expect(200);
    assert_eq!(
        (&plan["verdict"], &plan["code"]),
        (&json!("refused"), &json!("quota_exceeded")),
        "{plan}"
    );
    let plan = tenant.api.post(PLAN, &ask(2)).await.expect(200);
    assert_ne!(plan["verdict"], "refused", "{plan}");
    assert_eq!(of(&plan["quotas"], &org)["gpus_left"], 6, "{plan}");
    assert_eq!(of(&plan["quotas"], &project)["gpus_left"], 2, "{plan}");
    let none = tenant.api.get("/api/v1/allocations").await.expect(200);
    assert_eq!(none["items"], json!([]), "a plan makes nothing");

    let made = tenant.create_allocation(stack, 2).await.expect(202);
    let done = tenant.api.finished(&made, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let path = format!("/api/v1/quotas?project_id={}", tenant.project_id);
    let seen = tenant.api.get(&path).await.expect(200);
    let used = seen["items"].as_array().expect("a list").iter();
    assert_eq!(
        used.map(|quota| quota["gpus_used"].clone())
            .collect::<Vec<_>>(),
        [2, 2]
    );
    let more = tenant.create_allocation(stack, 1).await.expect(202);
    let more = tenant.api.finished(&more, LIMIT).await;
    assert_eq!(
        (&more["state"], &more["error"]["code"]),
        (&json!("failed"), &json!("quota_exceeded")),
        "{more}"
    );

    let gone = format!("{PATH}/{}", own["id"].as_str().expect("an id"));
    tenant.api.delete(&gone).await.problem(403, "forbidden");
    stack.admin().delete(&gone).await.expect(204);
    stack.admin().delete(&gone).await.problem(404, "not_found");
    let plan = tenant.api.post(PLAN, &ask(4)).await.expect(200);
    assert_ne!(plan["code"], "quota_exceeded", "{plan}");
    let id = made["resource"]["id"].as_str().expect("an id");
    let path = format!("/api/v1/allocations/{id}");
    let release = tenant.api.delete(&path).await.expect(202);
    let release = tenant.api.finished(&release, LIMIT).await;
    assert_eq!(release["state"], "succeeded", "{release}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_quota_and_no_request_is_refused() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let sku = stack.env("BERTH_SKU");
    let sound = json!({"scope": tenant.org_id, "sku": sku, "gpus_max": 1});
    for (member, value, code) in [
        ("scope", json!("platform"), "invalid_request"),
        (
            "scope",
            json!("proj_00000000000000000000000000000007"),
            "invalid_request",
        ),
        ("gpus_max", json!(-1), "invalid_request"),
        ("gpus_max", json!(100_001), "invalid_request"),
        ("sku", json!("abacus"), "unknown_sku"),
    ] {
        let mut body = sound.clone();
        body[member] = value;
        stack.admin().put(PATH, &body).await.problem(422, code);
    }
    tenant.api.put(PATH, &sound).await.problem(403, "forbidden");
    let mine = tenant.api.get("/api/v1/quotas").await.expect(200);
    assert_eq!(mine["items"], json!([]));

    let other = Tenant::new(stack).await;
    let stolen = json!({"project_id": other.project_id, "sku": sku, "gpu_count": 1, "name": "plan",
                        "ssh_key_ids": [tenant.ssh_key_id]});
    tenant
        .api
        .post(PLAN, &stolen)
        .await
        .problem(404, "not_found");
    stack.api(None).post(PLAN, &stolen).await.expect(401);
}
