//! Organizations, projects, members, policies: who may do what, and how versions guard changes.

use serde_json::{Value, json};
use tests::{Tenant, stack};

const POLICY: &str = "/api/v1/admin/policies/allocation.lease_seconds";

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {body}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn me_names_person_organization_and_role() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let me = tenant.api.get("/api/v1/me").await.expect(200);
    assert_eq!(me["user"]["id"], *tenant.user_id);
    assert_eq!(me["organization"]["id"], *tenant.org_id);
    assert_eq!(
        (text(&me, "role"), &me["platform_operator"]),
        ("owner", &Value::Bool(false))
    );
    let operator = stack.admin().get("/api/v1/me").await.expect(200);
    assert_eq!(operator["platform_operator"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn organizations_are_made_by_operators_and_kept_by_their_owners() {
    let stack = stack().await;
    let slug = format!("o-{}", db::id::fresh::<uuid::Uuid>().simple());
    let wish = json!({"name": "Acme", "slug": slug,
        "owner": {"email": format!("{slug}@example.test"), "display_name": "Ada"}});
    let tenant = Tenant::new(stack).await;
    let organizations = "/api/v1/organizations";
    tenant
        .api
        .post(organizations, &wish)
        .await
        .problem(403, "forbidden");
    let made = stack.admin().post(organizations, &wish).await.expect(201);
    stack
        .admin()
        .post(organizations, &wish)
        .await
        .problem(409, "name_taken");
    let path = format!("{organizations}/{}", text(&made, "id"));
    assert_eq!(stack.admin().get(&path).await.expect(200), made);
    tenant.api.get(&path).await.problem(404, "not_found");
    let mine = tenant.api.get(organizations).await.expect(200);
    assert_eq!(
        mine["items"].as_array().map(Vec::len),
        Some(1),
        "members see their own only"
    );
    let own = format!("{organizations}/{}", tenant.org_id);
    let admin = tenant.colleague(stack, "admin").await;
    admin
        .patch(&own, "\"v1\"", &json!({"name": "x"}))
        .await
        .problem(403, "forbidden");
    let renamed = tenant
        .api
        .patch(&own, "\"v1\"", &json!({"name": "Acme 2"}))
        .await;
    assert_eq!(
        (text(&renamed.expect(200), "name"), renamed.header("etag")),
        ("Acme 2", "\"v2\"")
    );
    tenant.api.delete(&own).await.expect(204);
    tenant
        .api
        .get("/api/v1/me")
        .await
        .problem(401, "invalid_credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_names_the_version_it_was_decided_on() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let path = format!("/api/v1/projects/{}", tenant.project_id);
    let body = json!({"description": "new"});
    let bare = tenant
        .api
        .request(reqwest::Method::PATCH, &path)
        .json(&body);
    tenant
        .api
        .send(bare)
        .await
        .problem(428, "precondition_required");
    tenant
        .api
        .patch(&path, "\"v7\"", &body)
        .await
        .problem(412, "precondition_failed");
    tenant
        .api
        .patch(&path, "W/\"v1\"", &body)
        .await
        .problem(412, "precondition_failed");
    let before = tenant.api.get(&path).await;
    let changed = tenant.api.patch(&path, before.header("etag"), &body).await;
    assert_eq!(text(&changed.expect(200), "description"), "new");
    assert_eq!(changed.header("etag"), "\"v2\"");
    tenant
        .api
        .patch(&path, before.header("etag"), &body)
        .await
        .problem(412, "precondition_failed");
    // Of many who decided on the same version, one gets through.
    let racing = (0..10).map(|_| tenant.api.patch(&path, "\"v2\"", &body));
    let statuses: Vec<_> = futures::future::join_all(racing)
        .await
        .iter()
        .map(|a| a.status.as_u16())
        .collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 412).count(),
        9,
        "{statuses:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn project_roles_add_to_the_role_in_the_organization() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let viewer = tenant.colleague(stack, "viewer").await;
    let me = viewer.get("/api/v1/me").await.expect(200);
    let project = format!("/api/v1/projects/{}", tenant.project_id);
    let (members, change) = (
        format!("{project}/members"),
        json!({"description": "by me"}),
    );
    viewer
        .patch(&project, "\"v1\"", &change)
        .await
        .problem(403, "forbidden");
    let wish = json!({"user_id": me["user"]["id"], "role": "viewer"});
    viewer.post(&members, &wish).await.problem(403, "forbidden");
    let member = tenant.api.post(&members, &wish).await;
    assert_eq!(text(&member.expect(201), "role"), "viewer");
    tenant
        .api
        .post(&members, &wish)
        .await
        .problem(409, "conflict");
    viewer
        .patch(&project, "\"v1\"", &change)
        .await
        .problem(403, "forbidden");
    let path = member.header("location").to_owned();
    tenant
        .api
        .patch(&path, "\"v1\"", &json!({"role": "admin"}))
        .await
        .expect(200);
    viewer.patch(&project, "\"v1\"", &change).await.expect(200);
    viewer
        .post("/api/v1/projects", &json!({"name": "another"}))
        .await
        .problem(403, "forbidden");
    tenant.api.delete(&path).await.expect(204);
    viewer
        .patch(&project, "\"v2\"", &change)
        .await
        .problem(403, "forbidden");
    let stranger = Tenant::new(stack).await;
    let wish = json!({"user_id": stranger.user_id, "role": "viewer"});
    tenant
        .api
        .post(&members, &wish)
        .await
        .problem(422, "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_row_once() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    for n in 0..6 {
        tenant
            .api
            .post("/api/v1/projects", &json!({"name": format!("p{n}")}))
            .await
            .expect(201);
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/projects?limit=3".to_owned());
    loop {
        let page = tenant.api.get(&path).await.expect(200);
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|item| text(item, "id").to_owned()));
        match page["next_page_token"].as_str() {
            Some(token) => path = format!("/api/v1/projects?limit=3&page_token={token}"),
            None => break,
        }
    }
    let mut unique = seen.clone();
    unique.sort();
    unique.dedup();
    assert_eq!((seen.len(), unique.len()), (7, 7));
    for bad in [
        "page_token=zzz",
        "page_token=%00",
        "page_token=",
        "limit=0",
        "limit=201",
        "limit=x",
    ] {
        let answer = tenant.api.get(&format!("/api/v1/projects?{bad}")).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_set_by_operators_in_a_scope() {
    let stack = stack().await;
    let (tenant, admin) = (Tenant::new(stack).await, stack.admin());
    tenant.api.get(POLICY).await.problem(403, "forbidden");
    tenant
        .api
        .put(POLICY, &json!({"value": 60}))
        .await
        .problem(403, "forbidden");
    let in_project = format!("{POLICY}?scope={}", tenant.project_id);
    let unset = admin.get(&in_project).await.expect(200);
    assert_eq!(unset["value"], Value::Null);
    admin
        .put(POLICY, &json!({"value": 120, "scope": tenant.org_id}))
        .await
        .expect(200);
    assert_eq!(
        admin.get(&in_project).await.expect(200)["effective_value"],
        120
    );
    admin
        .put(POLICY, &json!({"value": 180, "scope": tenant.project_id}))
        .await
        .expect(200);
    let set = admin.get(&in_project).await.expect(200);
    assert_eq!(
        (&set["value"], &set["effective_value"]),
        (&json!(180), &json!(180))
    );
    for bad in [
        json!(-1),
        json!("60"),
        json!(1.5),
        json!(null),
        json!(99_999_999_999_i64),
    ] {
        let body = json!({"value": bad, "scope": tenant.project_id});
        let problem = admin
            .put(POLICY, &body)
            .await
            .problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/value");
    }
    assert_eq!(admin.get(&in_project).await.expect(200)["value"], 180);
    let nowhere = json!({"value": 60, "scope": "org_00000000000000000000000000000000"});
    admin
        .put(POLICY, &nowhere)
        .await
        .problem(422, "invalid_request");
    admin
        .get("/api/v1/admin/policies/no.such")
        .await
        .problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_and_refusals_are_audited() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let viewer = tenant.colleague(stack, "viewer").await;
    let projects = "/api/v1/projects";
    let made = tenant.api.post(projects, &json!({"name": "audited"})).await;
    viewer
        .post(projects, &json!({"name": "refused"}))
        .await
        .problem(403, "forbidden");
    tenant
        .api
        .post(projects, &json!({"name": "audited"}))
        .await
        .problem(409, "name_taken");
    viewer
        .put(POLICY, &json!({"value": 60}))
        .await
        .problem(403, "forbidden");
    let lines: Vec<(String, String, Option<String>, Option<String>)> = sqlx::query_as(
        "select action, outcome, reason, resource_id from audit_logs
         where org_id = $1 order by id desc limit 4",
    )
    .bind(
        tenant
            .org_id
            .parse::<domain::id::OrgId>()
            .expect("an id")
            .uuid(),
    )
    .fetch_all(&stack.database().await)
    .await
    .expect("the log");
    let id = made.expect(201)["id"].as_str().map(str::to_owned);
    let line = |action: &str, outcome: &str, reason: Option<&str>, id: Option<String>| {
        (
            action.to_owned(),
            outcome.to_owned(),
            reason.map(str::to_owned),
            id,
        )
    };
    assert_eq!(
        lines,
        [
            line("policy.set", "denied", Some("forbidden"), None),
            line("project.create", "failed", Some("name_taken"), None),
            line("project.create", "denied", Some("forbidden"), None),
            line("project.create", "allowed", None, id),
        ]
    );
}
