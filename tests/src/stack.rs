//! The stack under test: `berth up` as a child process, or one described by an env file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use temporalio_client::WorkflowCountOptions;
use temporalio_client::schedules::PauseScheduleOptions;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::api::Api;
use crate::wait::eventually;

const NODES: &[&str] = &["node-1", "node-2", "node-3"];
const FAULTS: &[&str] = &[
    "gpu-missing",
    "wrong-driver",
    "refuse-login",
    "hang",
    "disk-full",
    "drop-connection",
    "ecc-errors",
    "hot",
    "xid",
];
pub const START_LIMIT: Duration = Duration::from_mins(3);

/// A running stack and how to reach it.
#[derive(Debug)]
pub struct Stack {
    env: BTreeMap<String, String>,
    dir: Option<PathBuf>,
    up: Option<std::sync::Mutex<Child>>,
    _temp: Option<tempfile::TempDir>,
}

/// The stack that ordinary tests share; started by the first that asks.
pub async fn stack() -> &'static Stack {
    static SHARED: OnceCell<Stack> = OnceCell::const_new();
    SHARED
        .get_or_init(|| async {
            let stack = match given_env() {
                Some(file) => Stack {
                    env: read_env(Path::new(&file)),
                    dir: None,
                    up: None,
                    _temp: None,
                },
                None => Stack::start(3).await,
            };
            stack.ready().await;
            stack.raise_limits().await;
            stack
        })
        .await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the harness has no settings file"
)]
fn given_env() -> Option<String> {
    std::env::var("BERTH_TEST_ENV").ok()
}

/// The stack whose servers and nodes tests may hurt; they take turns, and each finds it healed.
pub async fn rough_stack() -> Turn {
    static ROUGH: OnceCell<Stack> = OnceCell::const_new();
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    let start = || async {
        let stack = Stack::start(3).await;
        stack.partition_tables().await;
        stack
    };
    let stack = ROUGH.get_or_init(start).await;
    stack.heal().await;
    stack.raise_limits().await;
    Turn { stack, _turn: turn }
}

/// A test's turn on the rough stack.
#[derive(Debug)]
pub struct Turn {
    stack: &'static Stack,
    _turn: MutexGuard<'static, ()>,
}

impl std::ops::Deref for Turn {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        self.stack
    }
}

impl Stack {
    /// Clears every planted fault.
    pub fn heal_faults(&self) {
        for node in NODES {
            for fault in FAULTS {
                self.fault(node, fault, false);
            }
        }
    }

    /// Clears faults, starts every role, probes quarantined nodes back into the fleet.
    pub async fn heal(&self) {
        self.heal_faults();
        for role in [
            "postgres", "redis", "nats", "temporal", "api", "worker", "relay",
        ]
        .iter()
        .chain(NODES)
        {
            if !self.alive(role) {
                self.berth(&["stack", "start", role]).await;
            }
        }
        self.serves().await;
        self.pause_health().await;
        self.forget_calls().await;
        self.bring_back().await;
        self.ready().await;
    }

    /// Has every node in quarantine probed, again where a probe finds it bad yet.
    async fn bring_back(&self) {
        let admin = self.admin();
        for _ in 0..3 {
            for node in self.nodes().await {
                if node["state"] != "quarantined" {
                    continue;
                }
                let id = node["id"].as_str().expect("a node has an id");
                let path = format!("/api/v1/admin/nodes/{id}:probe");
                let answer = admin.post(&path, &Value::Null).await;
                if answer.status == reqwest::StatusCode::ACCEPTED {
                    admin.finished(&answer.json(), START_LIMIT).await;
                }
            }
        }
    }

    /// Pauses the schedule of the health sweep, as an operator would, and waits for the end of one
    /// under way: nobody but the test finds the faults that it plants.
    pub async fn pause_health(&self) {
        eventually("the health sweep is paused", START_LIMIT, || async {
            let client = self.temporal().await;
            let schedule = client.get_schedule_handle("node-health");
            let options = PauseScheduleOptions::default();
            schedule.pause(None::<String>, options).await.ok()?;
            let running = "WorkflowType = 'NodeHealthSweep' and ExecutionStatus = 'Running'";
            let options = WorkflowCountOptions::default();
            let running = client.count_workflows(running, options).await.ok()?;
            (running.count() == 0).then_some(())
        })
        .await;
    }

    /// Whether a role's process is there and no zombie.
    pub fn alive(&self, role: &str) -> bool {
        let stat = self
            .pid(role)
            .map(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")));
        stat.and_then(Result::ok)
            .is_some_and(|text| !text.contains("State:\tZ"))
    }

    /// One for a test alone; ends with its value.
    pub async fn own(nodes: u32) -> Self {
        let stack = Self::start(nodes).await;
        stack.ready().await;
        stack
    }

    async fn start(nodes: u32) -> Self {
        let temp = tempfile::Builder::new()
            .prefix("berth-test-")
            .tempdir()
            .expect("a folder");
        // Postgres runs as another user where we are root.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(temp.path(), mode).expect("a folder that others may enter");
        let dir = temp.path().to_path_buf();
        let up = spawn_up(&dir, nodes);
        let env_file = dir.join(".berth/env");
        eventually("berth up writes its env file", START_LIMIT, || async {
            env_file.exists().then_some(())
        })
        .await;
        Self {
            env: read_env(&env_file),
            dir: Some(dir),
            up: Some(std::sync::Mutex::new(up)),
            _temp: Some(temp),
        }
    }

    /// Waits until the API says that everything it needs is there.
    pub async fn serves(&self) {
        let anybody = self.api(None);
        eventually("the API is ready", START_LIMIT, || async {
            let answer = anybody
                .try_send(anybody.request(reqwest::Method::GET, "/readyz"))
                .await;
            answer.is_ok_and(|a| a.status.is_success()).then_some(())
        })
        .await;
    }

    pub(crate) async fn ready(&self) {
        self.serves().await;
        let admin = self.admin();
        eventually("every node is available", START_LIMIT, || async {
            let request = admin.request(reqwest::Method::GET, "/api/v1/admin/nodes");
            let nodes = admin.try_send(request).await.ok()?.json();
            let nodes = nodes["items"].as_array()?;
            let all = !nodes.is_empty() && nodes.iter().all(|n| n["state"] == "available");
            all.then_some(())
        })
        .await;
    }

    /// A value of `.berth/env`.
    #[track_caller]
    pub fn env(&self, name: &str) -> &str {
        self.env
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not in .berth/env"))
    }

    pub fn api(&self, key: Option<&str>) -> Api {
        Api::new(self.env("BERTH_API_URL"), key)
    }

    /// The platform operator.
    pub fn admin(&self) -> Api {
        self.api(Some(self.env("BERTH_ADMIN_KEY")))
    }

    /// The sample organization's owner.
    pub fn owner(&self) -> Api {
        self.api(Some(self.env("BERTH_API_KEY")))
    }

    /// A pool that reads (and, for tests that tamper, writes) every row.
    pub async fn database(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(4)
            .connect(self.env("DATABASE_URL"))
            .await
            .expect("the database answers")
    }

    /// The folder that the stack was started in.
    pub fn dir(&self) -> &Path {
        self.dir
            .as_deref()
            .expect("a stack that this harness started")
    }

    /// The pid of a role, as `.berth/env` promises it.
    pub fn pid(&self, role: &str) -> Option<nix::unistd::Pid> {
        let file = Path::new(self.env("BERTH_PIDS_DIR")).join(format!("{role}.pid"));
        let text = std::fs::read_to_string(file).ok()?;
        text.trim().parse().ok().map(nix::unistd::Pid::from_raw)
    }

    /// Kills a role without warning. A Berth role comes back by itself, a server does not.
    pub fn kill(&self, role: &str) {
        let pid = self
            .pid(role)
            .unwrap_or_else(|| panic!("{role} has no pid file"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it was alive");
    }

    /// `berth stack stop|start NAME`
    pub async fn control(&self, verb: &str, name: &str) {
        let done = self.berth(&["stack", verb, name]).await;
        assert!(done.status.success(), "stack {verb} {name}: {done:?}");
    }

    /// Runs the CLI in the stack's folder, as the sample organization's owner would.
    pub async fn berth(&self, args: &[&str]) -> std::process::Output {
        tokio::process::Command::new(berth_exe())
            .args(args)
            .current_dir(self.dir())
            .stdin(Stdio::null())
            .output()
            .await
            .expect("berth runs")
    }

    /// Plants or clears a fault on a simulated node.
    pub fn fault(&self, node: &str, fault: &str, on: bool) {
        let file = self.knob(node, fault);
        if on {
            self.fault_of(node, fault, "");
        } else if file.exists() {
            std::fs::remove_file(&file).expect("the fault knobs are ours to turn");
        }
    }

    /// Plants a fault of one part, such as the GPU of this index.
    pub fn fault_of(&self, node: &str, fault: &str, part: &str) {
        let file = self.knob(node, fault);
        std::fs::write(&file, part).expect("the fault knobs are ours to turn");
    }

    fn knob(&self, node: &str, fault: &str) -> PathBuf {
        let node = self.dir().join("data/nodes").join(node);
        node.join("faults").join(fault)
    }

    /// Nodes as an operator sees them.
    pub async fn nodes(&self) -> Vec<Value> {
        let nodes = self.admin().get("/api/v1/admin/nodes").await.expect(200);
        nodes["items"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let Some(up) = &self.up else { return };
        let mut up = up.lock().expect("no test panics while it holds this");
        let pid = nix::unistd::Pid::from_raw(i32::try_from(up.id()).unwrap_or_default());
        if nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).is_ok() {
            up.wait().expect("berth up is our child");
        }
    }
}

/// The `berth` that was built beside this test binary.
pub fn berth_exe() -> PathBuf {
    let me = std::env::current_exe().expect("a test knows its own path");
    me.ancestors()
        .nth(2)
        .expect("target/<profile>/deps/<me>")
        .join("berth")
}

/// Starts `berth up` from a thread that never ends: the parent-death signal follows the thread
/// that forked, and a test's own thread ends with the test.
fn spawn_up(dir: &Path, nodes: u32) -> Child {
    let (send, receive) = mpsc::channel();
    let dir = dir.to_path_buf();
    std::thread::spawn(move || {
        let log = std::fs::File::create(dir.join("up.log")).expect("a log file");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(berth_exe())
            .args([
                "up",
                "--no-sample",
                "--nodes",
                &nodes.to_string(),
                "--data-dir",
            ])
            .arg(dir.join("data"))
            .env("BERTH_UP_UNSAFE_FAST", "1")
            .env("BERTH_DEV_DIR", workspace().join(".dev"))
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("berth up starts");
        std::fs::write(dir.join("up.pid"), child.id().to_string()).expect("a pid file");
        send.send(child).expect("the test waits for it");
        loop {
            std::thread::park();
        }
    });
    receive.recv().expect("the thread sends a child")
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ has a parent")
        .to_path_buf()
}

fn read_env(file: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(file).expect("the env file can be read");
    text.lines()
        .filter_map(|line| line.trim_start_matches("export ").split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches(['\'', '"']).to_owned()))
        .collect()
}
