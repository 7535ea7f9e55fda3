//! Logging in the way a tenant does: the system's own `ssh`.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

/// A key pair on disk, made by `ssh-keygen`.
#[derive(Debug)]
pub struct KeyPair {
    _dir: tempfile::TempDir,
    pub private: PathBuf,
    pub public: String,
}

impl KeyPair {
    pub async fn generate() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let private = dir.path().join("id");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
            .arg(&private)
            .status()
            .await
            .expect("ssh-keygen runs");
        assert!(made.success());
        let public = std::fs::read_to_string(private.with_extension("pub")).expect("public key");
        Self {
            _dir: dir,
            private,
            public: public.trim().to_owned(),
        }
    }
}

/// Runs a command through `ssh` as `node.ssh` of an allocation tells, host key checked.
pub async fn ssh(node: &Value, identity: &Path, command: &str) -> Output {
    let ssh = &node["ssh"];
    let text = |name: &str| ssh[name].as_str().unwrap_or_default().to_owned();
    let port = ssh["port"].as_u64().expect("a port").to_string();
    let known_hosts = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(
        &known_hosts,
        format!("{} {}\n", text("host"), text("host_key")),
    )
    .expect("known hosts");
    Command::new("ssh")
        .args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
        ])
        .args([
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "ConnectTimeout=10",
            "-o",
        ])
        .arg(format!(
            "UserKnownHostsFile={}",
            known_hosts.path().display()
        ))
        .args(["-p", &port, "-i"])
        .arg(identity)
        .arg(format!("{}@{}", text("user"), text("host")))
        .arg(command)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("ssh runs")
}

/// Runs a script as root on a node, with a certificate of Berth's own CA, and gives back what it
/// printed.
pub async fn as_agent(
    keyring: &Path,
    host: &str,
    port: u16,
    host_key: &str,
    script: &str,
) -> String {
    let keys = KeyPair::generate().await;
    let signed = Command::new("ssh-keygen")
        .args([
            "-q",
            "-I",
            "test",
            "-n",
            "berth-agent",
            "-V",
            "-1m:+5m",
            "-s",
        ])
        .arg(keyring.join("ssh_ca"))
        .arg(keys.private.with_extension("pub"))
        .output()
        .await
        .expect("ssh-keygen runs");
    assert!(signed.status.success(), "{signed:?}");
    let node = serde_json::json!({
        "ssh": {"host": host, "port": port, "host_key": host_key, "user": "root"}
    });
    let output = ssh(&node, &keys.private, script).await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
