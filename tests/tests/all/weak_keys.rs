//! Lists of SSH keys that are not taken.

use serde_json::json;
use tests::{Replica, Tenant, stack};

/// Makes a key, and says how Debian's list would name it.
fn key_and_tail(folder: &std::path::Path) -> (String, String) {
    let file = folder.join("id_rsa");
    let run = |arguments: &[&str]| {
        let done = std::process::Command::new("ssh-keygen")
            .args(arguments)
            .arg("-f")
            .arg(&file)
            .output()
            .expect("ssh-keygen runs");
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).expect("text")
    };
    run(&["-q", "-t", "rsa", "-b", "3072", "-N", ""]);
    let shown = run(&["-l", "-E", "md5"]);
    let digits = shown
        .split_whitespace()
        .find_map(|word| word.strip_prefix("MD5:"))
        .expect("a fingerprint")
        .replace(':', "");
    let key = std::fs::read_to_string(file.with_extension("pub")).expect("a public key");
    (key, digits[12..].to_owned())
}

#[tokio::test]
async fn ssh_02_a_key_of_a_given_list_is_refused_wherever_a_key_is_brought() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (key, tail) = key_and_tail(folder.path());
    let list = format!("# RSA keys\n{tail}\n");
    std::fs::write(folder.path().join("blacklist.RSA-3072"), list).expect("a list");
    let lists = folder.path().to_str().expect("text");
    let replica = Replica::start(stack, &[("BERTH_SSH_WEAK_KEYS_DIR", lists)]).await;
    let body = json!({"name": "old", "public_key": key});

    let guarded = tenant.api.at(&replica.base);
    let problem = guarded
        .post("/api/v1/ssh-keys", &body)
        .await
        .problem(422, "invalid_public_key");
    assert_eq!(problem["errors"][0]["pointer"], "/public_key");
    assert!(problem.to_string().contains("CVE-2008-0166"), "{problem}");
    let node = json!({"name": "old-node", "sku": stack.env("BERTH_SKU"), "host": "10.0.0.1",
        "host_key": key, "expected_gpu_count": 8});
    let operator = stack.admin().at(&replica.base);
    let problem = operator.post("/api/v1/admin/nodes", &node).await;
    let problem = problem.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/host_key");

    tenant.api.post("/api/v1/ssh-keys", &body).await.expect(201);
}

#[tokio::test]
async fn ssh_02_a_folder_without_a_list_stops_the_start_with_its_setting_named() {
    let stack = stack().await;
    let empty = tempfile::tempdir().expect("a folder");
    let broken = tempfile::tempdir().expect("a folder");
    std::fs::write(broken.path().join("blacklist.RSA-2048"), "no digits\n").expect("a list");
    for folder in [
        empty.path(),
        broken.path(),
        std::path::Path::new("/nowhere"),
    ] {
        let lists = folder.to_str().expect("text");
        let refused = Replica::refused(stack, &[("BERTH_SSH_WEAK_KEYS_DIR", lists)]).await;
        assert!(refused.contains("BERTH_SSH_WEAK_KEYS_DIR"), "{refused}");
        assert!(refused.contains(lists), "{refused}");
    }
}
