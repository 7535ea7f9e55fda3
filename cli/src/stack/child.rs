//! One child process of `berth up`: started so that it cannot outlive its parent, and ended
//! politely first.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, watch};

use super::layout::Layout;
use super::member::Member;

/// Marks every child of a stack in its environment, so that a later `berth up` knows the leftovers
/// of an earlier one. Its value is the data folder.
pub(super) const MARK: &str = "BERTH_STACK";

/// Ends at once when its parent died before the death signal was armed.
const GUARD: &str = r#"[ "$PPID" = "$1" ] || exit 1; shift; exec "$@""#;

/// How to start a child.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    /// All of its environment but `PATH`, `HOME` and the like.
    pub(super) env: Vec<(&'static str, String)>,
    /// What ends it in order; also sent by the kernel when `berth up` dies.
    pub(super) stop_signal: Signal,
    /// Another account to run as.
    pub(super) account: Option<&'static str>,
    /// Keep its standard input open; closing it is then the way to end it.
    pub(super) holds_input: bool,
    /// Read its standard output instead of logging it.
    pub(super) reads_output: bool,
}

impl Spec {
    pub(super) fn new(program: impl Into<PathBuf>) -> Spec {
        Spec {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            stop_signal: Signal::SIGTERM,
            account: None,
            holds_input: false,
            reads_output: false,
        }
    }

    pub(super) fn arg(mut self, arg: impl Into<OsString>) -> Spec {
        self.args.push(arg.into());
        self
    }

    pub(super) fn args<T: Into<OsString>>(mut self, args: impl IntoIterator<Item = T>) -> Spec {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(super) fn env(mut self, name: &'static str, value: impl Into<String>) -> Spec {
        self.env.push((name, value.into()));
        self
    }

    fn command(&self, layout: &Layout) -> Command {
        let mut command = Command::new("setpriv");
        let signal = self.stop_signal.as_str().trim_start_matches("SIG");
        command.args(["--pdeathsig", signal]);
        if let Some(account) = self.account {
            command.args(["--reuid", account, "--regid", account, "--init-groups"]);
        }
        command.args([
            "--",
            "sh",
            "-c",
            GUARD,
            "sh",
            &std::process::id().to_string(),
        ]);
        command.arg(&self.program).args(&self.args);
        command
            .env_clear()
            .envs(inherited())
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command.env("HOME", layout.root()).env(MARK, layout.root());
        command.current_dir(layout.root()).process_group(0);
        command
    }
}

/// What children take over from the person who runs `berth up`: never a setting by accident.
fn inherited() -> impl Iterator<Item = (&'static str, PathBuf)> {
    [
        "PATH",
        "LANG",
        "TMPDIR",
        "RUST_BACKTRACE",
        "BERTH_LOG",
        "BERTH_LOG_FORMAT",
    ]
    .into_iter()
    .filter_map(|name| Some((name, platform::settings::session_path(name)?)))
}

/// A child that ended, for the supervisor.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) member: Member,
    pub(super) pid: Pid,
    pub(super) status: ExitStatus,
}

/// A child that was started and may have ended since.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) pid: Pid,
    stop_signal: Signal,
    ended: watch::Receiver<Option<ExitStatus>>,
    input: Option<ChildStdin>,
    pub(super) output: Option<ChildStdout>,
}

impl Running {
    /// Starts a child and writes its pid file. Must be called on the main thread: the parent-death
    /// signal follows the thread that forked.
    pub(super) fn start(
        member: Member,
        spec: &Spec,
        layout: &Layout,
        endings: mpsc::UnboundedSender<Ended>,
    ) -> anyhow::Result<Running> {
        let name = member.to_string();
        let log = open_log(&layout.log_file(&name))?;
        let mut command = spec.command(layout);
        command.stdin(if spec.holds_input {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        command.stdout(if spec.reads_output {
            Stdio::piped()
        } else {
            log.try_clone()?.into()
        });
        command.stderr(log);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let pid = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw)
            .context("a new child has a pid")?;
        let pid_file = layout.pid_file(&name);
        std::fs::write(&pid_file, format!("{pid}\n"))
            .with_context(|| format!("cannot write {}", pid_file.display()))?;
        let (told, ended) = watch::channel(None);
        tokio::spawn(async move {
            if let Ok(status) = child.wait().await {
                std::fs::remove_file(&pid_file).ok();
                told.send_replace(Some(status));
                endings
                    .send(Ended {
                        member,
                        pid,
                        status,
                    })
                    .ok();
            }
        });
        Ok(Running {
            pid,
            stop_signal: spec.stop_signal,
            ended,
            input,
            output,
        })
    }

    pub(super) fn status(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// Resolves when the child is gone.
    pub(super) async fn ended(&self) -> ExitStatus {
        let mut ended = self.ended.clone();
        let status = ended.wait_for(Option::is_some).await.map(|status| *status);
        // The sender lives as long as the child.
        status.ok().flatten().unwrap_or_default()
    }

    /// Asks it to end, and kills its whole group when it has not done so in time.
    pub(super) async fn stop(&mut self, grace: Duration) {
        drop(self.input.take());
        self.signal(self.stop_signal);
        if tokio::time::timeout(grace, self.ended()).await.is_err() {
            self.kill();
            self.ended().await;
        }
    }

    /// Ends it and everything it started, at once.
    pub(super) fn kill(&self) {
        if self.status().is_none() {
            // Its group is its own since it began.
            killpg(self.pid, Signal::SIGKILL).ok();
        }
    }

    fn signal(&self, signal: Signal) {
        // A child that was waited for has given its pid back: never signal that.
        if self.status().is_none() {
            // One that runs as another user ends when its input closes.
            kill(self.pid, signal).ok();
        }
    }
}

fn open_log(path: &Path) -> anyhow::Result<File> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))
}
