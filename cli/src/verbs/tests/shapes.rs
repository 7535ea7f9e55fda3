//! What people see, and which route each verb calls.

use serde_json::json;

use super::server::{Reply, Server};
use super::{ALLOCATION, NODE, OPERATION, PROJECT, berth};
use crate::verbs::Exit;

#[tokio::test]
async fn a_list_is_columns_and_tells_of_the_next_page() {
    let item = |id: u32, name: &str, ends: Option<&str>| {
        json!({
            "id": format!("alloc_{id:032x}"), "name": name, "state": "active",
            "project_id": PROJECT, "sku": "h100-80gb", "gpu_count": id, "nodes": [],
            "lease_ends_at": ends, "created_at": "2026-01-01T00:00:00Z",
        })
    };
    let page = json!({
        "items": [
            item(1, "bell\u{7}\u{1b}[2J", None),
            item(8, "long training", Some("2026-02-01T00:00:00Z")),
        ],
        "next_page_token": "tok",
    });
    let server = Server::start([Reply::json(200, &page)]).await;
    let args = [
        "alloc", "list", "--state", "active", "--state", "queued", "--label", "a=b c", "--label",
        "spot", "--limit", "2",
    ];
    let outcome = berth(&server, &args).await;
    assert_eq!(outcome.exit, Exit::Ok, "{outcome:?}");
    insta::assert_snapshot!(outcome.data, @r"
    ID                                      NAME           STATE   SKU        GPUS  LEASE ENDS            CREATED
    alloc_00000000000000000000000000000001  bell  [2J      active  h100-80gb  1                           2026-01-01T00:00:00Z
    alloc_00000000000000000000000000000008  long training  active  h100-80gb  8     2026-02-01T00:00:00Z  2026-01-01T00:00:00Z
    ");
    assert_eq!(outcome.talk, "There is more: --page-token tok\n");
    assert_eq!(
        server.lines(),
        ["GET /api/v1/allocations?state=active%2Cqueued&label=a%3Db+c%2Cspot&limit=2"]
    );
}

#[tokio::test]
async fn one_allocation_is_fields_with_its_gpus_below() {
    let allocation = json!({
        "id": ALLOCATION, "name": "training", "state": "active", "state_reason": null,
        "conditions": [{ "type": "release_requested", "reason": null, "since": null }],
        "project_id": PROJECT, "sku": "h100-80gb", "gpu_count": 2,
        "labels": { "team": "vision" },
        "nodes": [{
            "id": NODE, "host": "10.1.2.3", "port": 22,
            "ssh": { "user": "t01", "host": "10.1.2.3", "port": 22, "host_key": "ssh-ed25519 AAAA" },
            "gpus": [
                { "index": 0, "uuid": "GPU-0", "model": "NVIDIA H100 80GB HBM3" },
                { "index": 3, "uuid": "GPU-3", "model": "NVIDIA H100 80GB HBM3" },
            ],
            "receipt": null,
        }],
        "lease_ends_at": "2026-02-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z",
    });
    let server = Server::start([Reply::json(200, &allocation)]).await;
    let outcome = berth(&server, &["alloc", "get", ALLOCATION]).await;
    insta::assert_snapshot!(outcome.data, @r"
    id          alloc_00000000000000000000000000000001
    name        training
    state       active
    also        release_requested
    project     proj_00000000000000000000000000000003
    sku         h100-80gb
    gpus        2
    labels      team=vision
    created     2026-01-01T00:00:00Z
    lease ends  2026-02-01T00:00:00Z
    ssh         t01@10.1.2.3 port 22

    NODE                                   GPU  MODEL                  UUID
    node_00000000000000000000000000000004  0    NVIDIA H100 80GB HBM3  GPU-0
    node_00000000000000000000000000000004  3    NVIDIA H100 80GB HBM3  GPU-3
    ");
    assert_eq!(
        outcome.talk,
        format!("Log in with: berth alloc ssh {ALLOCATION}\n")
    );
}

/// Each verb that is not looked at elsewhere, and the one request it makes.
#[tokio::test]
async fn verbs_call_their_routes() {
    let key = "key_00000000000000000000000000000006";
    let ssh_key = "sshkey_00000000000000000000000000000007";
    let letter = "dead_00000000000000000000000000000008";
    let cases: &[(&[&str], String)] = &[
        (
            &["alloc", "release", ALLOCATION],
            format!("DELETE /api/v1/allocations/{ALLOCATION}"),
        ),
        (
            &["alloc", "events", ALLOCATION],
            format!("GET /api/v1/allocations/{ALLOCATION}/events"),
        ),
        (
            &["alloc", "retry-release", ALLOCATION],
            format!("POST /api/v1/allocations/{ALLOCATION}:retry-release"),
        ),
        (
            &["alloc", "usage", ALLOCATION],
            format!("GET /api/v1/allocations/{ALLOCATION}/usage"),
        ),
        (
            &["op", "list", "--resource", ALLOCATION],
            format!("GET /api/v1/operations?resource_id={ALLOCATION}"),
        ),
        (
            &["node", "reports", NODE],
            format!("GET /api/v1/admin/nodes/{NODE}/probe-reports"),
        ),
        (&["policy", "list"], "GET /api/v1/admin/policies".to_owned()),
        (
            &["op", "get", OPERATION],
            format!("GET /api/v1/operations/{OPERATION}"),
        ),
        (
            &["op", "cancel", OPERATION],
            format!("POST /api/v1/operations/{OPERATION}:cancel"),
        ),
        (&["node", "list"], "GET /api/v1/admin/nodes".to_owned()),
        (
            &["node", "get", NODE],
            format!("GET /api/v1/admin/nodes/{NODE}"),
        ),
        (
            &["node", "probe", NODE],
            format!("POST /api/v1/admin/nodes/{NODE}:probe"),
        ),
        (&["project", "list"], "GET /api/v1/projects".to_owned()),
        (
            &["project", "get", PROJECT],
            format!("GET /api/v1/projects/{PROJECT}"),
        ),
        (
            &["project", "create", "--name", "x"],
            "POST /api/v1/projects".to_owned(),
        ),
        (
            &["project", "delete", PROJECT],
            format!("DELETE /api/v1/projects/{PROJECT}"),
        ),
        (&["ssh-key", "list"], "GET /api/v1/ssh-keys".to_owned()),
        (
            &["ssh-key", "delete", ssh_key],
            format!("DELETE /api/v1/ssh-keys/{ssh_key}"),
        ),
        (&["api-key", "list"], "GET /api/v1/api-keys".to_owned()),
        (
            &["api-key", "create", "--name", "ci"],
            "POST /api/v1/api-keys".to_owned(),
        ),
        (
            &["api-key", "rotate", key],
            format!("POST /api/v1/api-keys/{key}:rotate"),
        ),
        (
            &["api-key", "revoke", key],
            format!("POST /api/v1/api-keys/{key}:revoke"),
        ),
        (
            &["signing-key", "list"],
            "GET /api/v1/admin/signing-keys".to_owned(),
        ),
        (
            &["dlq", "list"],
            "GET /api/v1/admin/dead-letters".to_owned(),
        ),
        (
            &["dlq", "replay", letter],
            format!("POST /api/v1/admin/dead-letters/{letter}:replay"),
        ),
    ];
    for (args, line) in cases {
        let server = Server::start([Reply::text(200, "{}")]).await;
        let outcome = berth(&server, &[args, &["-o", "json"][..]].concat()).await;
        assert_eq!(outcome.exit, Exit::Ok, "{args:?}: {outcome:?}");
        assert_eq!(server.lines().join("; "), *line, "{args:?}");
        let asked = &server.asked()[0];
        let key = asked.header("idempotency-key");
        assert_eq!(asked.method == "POST", !key.is_empty(), "{args:?}");
    }
}

#[tokio::test]
async fn a_policy_is_set_in_its_scope() {
    let key = "allocation.lease_seconds";
    let policy = json!({ "key": key, "value": 16, "scope": PROJECT, "effective_value": 16 });
    let server = Server::start([Reply::json(200, &policy)]).await;
    berth(&server, &["policy", "get", key, "--scope", PROJECT]).await;
    let outcome = berth(&server, &["policy", "put", key, "16", "--scope", PROJECT]).await;
    assert_eq!(outcome.exit, Exit::Ok, "{outcome:?}");
    berth(&server, &["policy", "put", key, "16"]).await;
    let asked = server.asked();
    let path = format!("/api/v1/admin/policies/{key}");
    assert_eq!(asked[0].line(), format!("GET {path}?scope={PROJECT}"));
    assert_eq!(asked[1].line(), format!("PUT {path}"));
    assert_eq!(asked[1].json(), json!({ "value": 16, "scope": PROJECT }));
    assert_eq!(asked[2].json(), json!({ "value": 16 }));
}

#[tokio::test]
async fn operators_look_at_operations_with_their_own_key() {
    let server = Server::start([Reply::text(200, "{}")]).await;
    berth(&server, &["op", "get", OPERATION, "-o", "json"]).await;
    let admin = [
        "op",
        "get",
        OPERATION,
        "--admin",
        "--admin-key",
        "berth_root",
        "-o",
        "json",
    ];
    berth(&server, &admin).await;
    let asked = server.asked();
    assert_eq!(asked[0].header("authorization"), "Bearer berth_test");
    assert_eq!(asked[1].header("authorization"), "Bearer berth_root");
}

#[tokio::test]
async fn completions_know_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let outcome = super::run(vec!["completions", shell]).await;
        assert_eq!(outcome.exit, Exit::Ok);
        for verb in ["ssh-key", "alloc", "queue-timeout-seconds"] {
            assert!(outcome.data.contains(verb), "{shell} does not know {verb}");
        }
    }
}

#[tokio::test]
async fn identities_are_linked_listed_and_ended() {
    let identity = json!({
        "id": "ident_00000000000000000000000000000001", "user_id": "user_1",
        "email": "ada@example.test", "issuer": "https://id.example", "subject": "ada",
        "tokens_not_before": null, "created_at": "2026-01-01T00:00:00Z",
    });
    let page = json!({ "items": [identity], "next_page_token": null });
    let replies = [
        Reply::json(201, &identity),
        Reply::json(200, &page),
        Reply::json(200, &identity),
    ];
    let server = Server::start(replies).await;
    let id = "ident_00000000000000000000000000000001";
    let link = [
        "identity",
        "link",
        "--subject",
        "ada",
        "--email",
        "ada@example.test",
    ];
    assert_eq!(berth(&server, &link).await.exit, Exit::Ok);
    let listed = berth(&server, &["identity", "list"]).await;
    insta::assert_snapshot!(listed.data, @r"
    ID                                      PERSON            SUBJECT  ISSUER              TOKENS NOT BEFORE
    ident_00000000000000000000000000000001  ada@example.test  ada      https://id.example
    ");
    let revoked = berth(&server, &["identity", "revoke-tokens", id]).await;
    assert_eq!(revoked.exit, Exit::Ok, "{revoked:?}");
    assert_eq!(
        server.lines(),
        [
            "POST /api/v1/admin/identities",
            "GET /api/v1/admin/identities",
            "POST /api/v1/admin/identities/ident_00000000000000000000000000000001:revoke-tokens",
        ]
    );
}
