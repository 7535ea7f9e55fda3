//! The command line as a tenant and as an operator use it: real processes, real stack, exit codes.

use std::process::Output;

use serde_json::Value;
use tests::stack::berth_exe;
use tests::{Stack, Tenant, stack};

/// Runs `berth ARGS` away from any `.berth/env`, as this tenant.
async fn berth(stack: &Stack, tenant: &Tenant, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    tokio::process::Command::new(berth_exe())
        .args(args)
        .current_dir(folder.path())
        .env("BERTH_API_URL", stack.env("BERTH_API_URL"))
        .env("BERTH_API_KEY", &tenant.key)
        .env("BERTH_ADMIN_KEY", stack.env("BERTH_ADMIN_KEY"))
        .env("BERTH_PROJECT_ID", &tenant.project_id)
        .env("BERTH_SKU", stack.env("BERTH_SKU"))
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("berth runs")
}

#[track_caller]
fn data(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[track_caller]
fn json(output: &Output) -> Value {
    serde_json::from_str(&data(output)).expect("nothing but JSON on stdout")
}

fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_from_create_to_release_by_the_command_line() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let key = tenant.ssh_key_id.as_str();
    let wish = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(wish.path(), r#"{"partition": "a"}"#).expect("a text");
    let create = [
        "alloc",
        "create",
        "--name",
        "train",
        "--gpus",
        "2",
        "--ssh-key",
        key,
        "--label",
        "team=vision",
        "--scheduler-request",
        wish.path().to_str().expect("a name"),
        "--wait",
        "-o",
        "json",
    ];
    let created = berth(stack, &tenant, &create).await;
    let allocation = json(&created);
    assert_eq!(allocation["state"], "active");
    assert_eq!(allocation["labels"]["team"], "vision");
    assert_eq!(allocation["scheduler_request"]["partition"], "a");
    let id = allocation["id"].as_str().expect("an id");
    // In a pipe each step is a plain line.
    let said = talk(&created);
    for step in [
        "admit",
        "reserve",
        "preflight",
        "install_access",
        "accept",
        "activate",
    ] {
        let line = format!("{step}: succeeded");
        assert!(
            said.lines().any(|told| told.starts_with(&line)),
            "{step} is not in:\n{said}"
        );
    }
    assert!(!said.contains('\u{1b}'), "escape codes in a pipe:\n{said}");

    let shown = json(&berth(stack, &tenant, &["alloc", "get", id, "-o", "json"]).await);
    assert_eq!(shown, tenant.allocation(id).await, "the server's own JSON");
    let listed = data(&berth(stack, &tenant, &["alloc", "list", "--label", "team"]).await);
    assert!(listed.contains(id) && listed.contains("active"), "{listed}");

    let identity = tenant.keys.private.to_str().expect("a plain path");
    let smi = [
        "alloc",
        "ssh",
        id,
        "-i",
        identity,
        "--",
        "-F",
        "none",
        "nvidia-smi",
        "-L",
    ];
    let gpus = data(&berth(stack, &tenant, &smi).await);
    assert_eq!(gpus.lines().count(), 2, "{gpus}");
    let seven = [
        "alloc", "ssh", id, "-i", identity, "--", "-F", "none", "exit 7",
    ];
    assert_eq!(berth(stack, &tenant, &seven).await.status.code(), Some(7));

    let lease = |allocation: &Value| allocation["lease_ends_at"].as_str().map(str::to_owned);
    let extend = [
        "alloc",
        "extend",
        id,
        "--lease-seconds",
        "600",
        "--wait",
        "-o",
        "json",
    ];
    let extended = json(&berth(stack, &tenant, &extend).await);
    assert!(lease(&extended) > lease(&allocation), "{extended}");

    let events = data(&berth(stack, &tenant, &["alloc", "events", id]).await);
    assert!(
        events.contains("berth.provisioning.allocation.active"),
        "{events}"
    );

    let release = ["alloc", "release", id, "--wait", "-o", "json"];
    let released = json(&berth(stack, &tenant, &release).await);
    assert_eq!(released["state"], "released");
    let refused = berth(stack, &tenant, &["alloc", "ssh", id, "--", "true"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(talk(&refused).contains("released"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_tell_scripts_what_happened() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let unknown = "alloc_00000000000070008000000000000000";
    let cases: &[(&[&str], i32)] = &[
        (&["alloc", "list"], 0),
        (&["alloc", "get", unknown], 4),
        (&["alloc", "get", "node_1"], 2),
        (&["alloc", "lst"], 2),
        (&["alloc", "list", "--api-key", "berth_not_a_key"], 3),
        (&["node", "list", "--admin-key", &tenant.key], 3),
        (&["alloc", "list", "--page-token", "absurd"], 1),
    ];
    for (args, code) in cases {
        let output = berth(stack, &tenant, args).await;
        assert_eq!(output.status.code(), Some(*code), "{args:?}: {output:?}");
        let silent = output.stdout.is_empty();
        assert_eq!(
            silent,
            *code != 0,
            "data belongs to success: {args:?}: {output:?}"
        );
    }
    let refused = berth(stack, &tenant, &["alloc", "get", unknown]).await;
    assert!(talk(&refused).contains("(not_found, req_"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_given_up_ends_with_124_and_can_be_taken_up_again() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let create = [
        "alloc",
        "create",
        "--name",
        "train",
        "--gpus",
        "1",
        "--ssh-key",
        &tenant.ssh_key_id,
        "--idempotency-key",
        "once",
        "--wait",
        "--timeout-seconds",
        "0",
    ];
    let given_up = berth(stack, &tenant, &create).await;
    assert_eq!(given_up.status.code(), Some(124), "{given_up:?}");

    // The same key finds the same operation, and it can be waited for.
    let again = json(&berth(stack, &tenant, &[&create[..10], &["-o", "json"]].concat()).await);
    let operation = again["id"].as_str().expect("an id");
    assert!(
        talk(&given_up).contains(&format!("berth op wait {operation}")),
        "{given_up:?}"
    );
    let waited = json(&berth(stack, &tenant, &["op", "wait", operation, "-o", "json"]).await);
    assert_eq!(waited["state"], "succeeded", "{waited}");
    let id = again["resource"]["id"].as_str().expect("an id");
    let listed = json(&berth(stack, &tenant, &["alloc", "list", "-o", "json"]).await);
    assert_eq!(
        listed["items"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );
    data(&berth(stack, &tenant, &["alloc", "release", id, "--wait"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_machines_and_what_was_found_on_them() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let nodes = json(&berth(stack, &tenant, &["node", "list", "-o", "json"]).await);
    let node = nodes["items"][0]["id"].as_str().expect("a node");
    let probed = berth(stack, &tenant, &["node", "probe", node, "--wait"]).await;
    assert!(data(&probed).contains("available"), "{probed:?}");
    // Out of service only with a reason, and back only from there.
    for (args, code) in [
        (["node", "retire", node].as_slice(), 2),
        (&["node", "uncordon", node], 1),
    ] {
        let output = berth(stack, &tenant, args).await;
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    }
    let reports = data(&berth(stack, &tenant, &["node", "reports", node]).await);
    assert!(
        reports.contains("enrollment") && reports.contains("yes"),
        "{reports}"
    );
    data(&berth(stack, &tenant, &["dlq", "list"]).await);
    data(
        &berth(
            stack,
            &tenant,
            &["policy", "get", "allocation.lease_seconds"],
        )
        .await,
    );
    let operations = data(&berth(stack, &tenant, &["op", "list", "--admin"]).await);
    assert!(operations.contains("node."), "{operations}");
}
