//! The audit log as operators see it.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{eventually, rough_stack};

const LIMIT: Duration = Duration::from_mins(3);
const EVENTS: &str = "/api/v1/admin/audit-events";
const VERIFY: &str = "/api/v1/admin/audit-events:verify";

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_who_did_what_and_prove_it() {
    let stack = rough_stack().await;
    let asked = stack
        .admin()
        .post(VERIFY, &json!({"reason": "a drill"}))
        .await
        .expect(202);
    let done = stack.admin().finished(&asked, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let url = asked["resource"]["url"].as_str().expect("an address");
    let run = stack.admin().get(url).await.expect(200);
    assert_eq!(
        (&run["task"], &run["outcome"]),
        (&json!("audit"), &json!("succeeded"))
    );
    let id = run["id"].as_str().expect("an id");
    let workflow = format!("maintenance/{id}");
    stack
        .record("partition_maintenance_audits", &workflow)
        .await;
    let proof = &run["reports"][0]["audit"];
    assert_eq!(proof["finding_count"], 0, "{run}");
    assert!(proof["entries"].as_u64() > Some(0), "{run}");
    // The entry that asked for it, as soon as it is sealed.
    let path = format!("{EVENTS}?action=audit.verify&outcome=allowed&limit=1");
    let entry = eventually("its seal", LIMIT, || async {
        crate::sweep::trigger(&stack, "audit-sealing").await;
        let page = stack.admin().get(&path).await.expect(200);
        let entry = page["items"][0].clone();
        (entry["seal"] != Value::Null).then_some(entry)
    })
    .await;
    assert_eq!(entry["detail"]["reason"], "a drill", "{entry}");
    assert_eq!(entry["seal"]["sha256"].as_str().map(str::len), Some(64));
    let id = entry["id"].as_str().expect("an id");
    let one = stack
        .admin()
        .get(&format!("{EVENTS}/{id}"))
        .await
        .expect(200);
    assert_eq!(one, entry);
    let at = entry["created_at"].as_str().expect("a time");
    let none = format!("{EVENTS}?action=audit.verify&until={at}&since={at}");
    let none = stack.admin().get(&none).await.expect(200);
    assert_eq!(none["items"], json!([]));
    crate::sweep::record_one(&stack, "AuditSealing", "audit_sealing").await;
    let gauges = [
        "audit_seal_lag_seconds ",
        "audit_checkpoint_lag_seconds ",
        "audit_chain_findings 0",
        "audit_chain_proof_age_seconds ",
    ];
    eventually("the gauges", LIMIT, || async {
        let metrics = stack.relay_metrics().await;
        let all = gauges.iter().all(|gauge| metrics.contains(gauge));
        all.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_and_what_makes_no_sense_is_refused() {
    let stack = rough_stack().await;
    let reason = json!({"reason": "x"});
    stack
        .owner()
        .post(VERIFY, &reason)
        .await
        .problem(403, "forbidden");
    stack
        .admin()
        .post(VERIFY, &json!({}))
        .await
        .problem(422, "invalid_request");
    stack.owner().get(EVENTS).await.problem(403, "forbidden");
    let nobody = format!("{EVENTS}/audit_01890000000070008000000000000000");
    stack.owner().get(&nobody).await.problem(403, "forbidden");
    stack.admin().get(&nobody).await.problem(404, "not_found");
    for wrong in ["outcome=maybe", "since=yesterday", "organization_id=7"] {
        let path = format!("{EVENTS}?{wrong}");
        stack.admin().get(&path).await.problem(400, "invalid_query");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_shows_it() {
    let stack = rough_stack().await;
    let says = async |args: &[&str]| {
        let done = stack.berth(args).await;
        assert!(done.status.success(), "{done:?}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let args = ["audit", "verify", "--reason", "from a terminal", "--wait"];
    let ran = says(&args).await;
    assert!(
        ran.contains("succeeded") && ran.contains("wrong: 0"),
        "{ran}"
    );
    let list = says(&["audit", "list", "--action", "audit.verify"]).await;
    assert!(list.contains("allowed"), "{list}");
    let id = list
        .split_whitespace()
        .find(|word| word.starts_with("audit_"));
    let one = says(&["audit", "get", id.expect("an id")]).await;
    assert!(one.contains("from a terminal"), "{one}");
}
