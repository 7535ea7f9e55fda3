//! Further replicas of a role: the same environment as the stack's own, another address.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::api::Api;
use crate::stack::{Stack, berth_exe};
use crate::wait::eventually;

/// A role beside the stack's own; ends with its value.
#[derive(Debug)]
pub struct Replica {
    pub base: String,
    child: Child,
}

/// What is started, and how one sees that it serves.
struct Role {
    name: &'static str,
    /// The setting for its address.
    listen: &'static str,
    sign_of_life: &'static str,
    log: Stdio,
}

impl Replica {
    /// A further `berth api` that serves and has its policies; `changes` are settings that differ
    /// from the stack's.
    pub async fn start(stack: &Stack, changes: &[(&str, &str)]) -> Self {
        Self::launch(stack, changes).await.with_policies().await
    }

    async fn with_policies(self) -> Self {
        let anybody = self.api(None);
        eventually("policies", crate::stack::START_LIMIT, || async {
            let request = anybody.request(reqwest::Method::GET, "/readyz");
            let answer = anybody.try_send(request).await.ok()?.json();
            (answer["dependencies"]["policies"] == "ok").then_some(())
        })
        .await;
        self
    }

    /// A further `berth api` that may have nothing to go by yet, as soon as it answers at all.
    pub async fn launch(stack: &Stack, changes: &[(&str, &str)]) -> Self {
        let role = Role {
            name: "api",
            listen: "BERTH_API_LISTEN",
            sign_of_life: "/livez",
            log: Stdio::inherit(),
        };
        Self::of(stack, role, changes).await
    }

    /// A further `berth relay`.
    pub async fn relay(stack: &Stack) -> Self {
        let role = Role {
            name: "relay",
            listen: "BERTH_WORKER_METRICS_LISTEN",
            sign_of_life: "/metrics",
            log: Stdio::inherit(),
        };
        Self::of(stack, role, &[]).await
    }

    /// What a `berth api` says that ends at its start because of `changes`.
    pub async fn refused(stack: &Stack, changes: &[(&str, &str)]) -> String {
        let ended = Command::new(berth_exe())
            .arg("api")
            .env_clear()
            .envs(environment(stack, "api"))
            .env("BERTH_API_LISTEN", free_address())
            .envs(changes.iter().copied())
            .kill_on_drop(true)
            .output();
        let ended = tokio::time::timeout(crate::stack::START_LIMIT, ended).await;
        let ended = ended.expect("it ends").expect("berth runs");
        assert!(!ended.status.success(), "{ended:?}");
        String::from_utf8_lossy(&ended.stderr).into_owned()
    }

    /// As [`Self::start`], and it logs into that file.
    pub async fn logging(stack: &Stack, changes: &[(&str, &str)], log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("a file");
        let role = Role {
            name: "api",
            listen: "BERTH_API_LISTEN",
            sign_of_life: "/livez",
            log: log.into(),
        };
        Self::of(stack, role, changes).await.with_policies().await
    }

    async fn of(stack: &Stack, role: Role, changes: &[(&str, &str)]) -> Self {
        let Role {
            name,
            listen,
            sign_of_life,
            log,
        } = role;
        let address = free_address();
        let child = Command::new(berth_exe())
            .arg(name)
            .env_clear()
            .envs(environment(stack, name))
            .env(listen, &address)
            .env("BERTH_PUBLIC_URL", format!("http://{address}"))
            .envs(changes.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the role starts");
        let replica = Self {
            base: format!("http://{address}"),
            child,
        };
        let anybody = replica.api(None);
        eventually("the replica serves", crate::stack::START_LIMIT, || async {
            let request = anybody.request(reqwest::Method::GET, sign_of_life);
            let answer = anybody.try_send(request).await;
            answer.is_ok_and(|a| a.status.is_success()).then_some(())
        })
        .await;
        replica
    }

    pub fn api(&self, key: Option<&str>) -> Api {
        Api::new(&self.base, key)
    }

    /// Stops it where it is, or lets it go on.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = self.child.id().expect("it is alive").cast_signed();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("our own child");
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it was alive");
    }
}

/// What the stack's own process of that role was started with.
pub(crate) fn environment(stack: &Stack, role: &str) -> BTreeMap<String, String> {
    let pid = stack.pid(role).expect("the stack runs one");
    let text = std::fs::read_to_string(format!("/proc/{pid}/environ")).expect("our own child");
    text.split('\0')
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

pub(crate) fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("it is bound");
    address.to_string()
}
