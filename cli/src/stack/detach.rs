//! `berth up --detach`: the same `berth up` in a session of its own. Its talk comes through a pipe
//! until everything runs; then it turns to its log file, and the closed pipe says that it is up.

use std::fs::File;
use std::process::{ExitStatus, Stdio};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, dup2_stderr, dup2_stdout};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::UpArgs;
use super::layout::Layout;
use super::signals::Signals;
use super::talk::{say, show};
use crate::exit::Failure;

pub(super) async fn run(args: &UpArgs) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let mut child = spawn(args)?;
    let ended = tokio::select! {
        ended = follow(&mut child) => ended?,
        signal = signals.next() => {
            say(format_args!("berth: {signal}, stopping"));
            let pid = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
            pid.map(|pid| kill(pid, Signal::SIGTERM));
            follow(&mut child).await?
        }
    };
    match ended {
        None => Ok(()),
        // It has said why.
        Some(status) => Err(Failure::Told(
            status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1),
        )),
    }
}

fn spawn(args: &UpArgs) -> anyhow::Result<Child> {
    let berth = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = Command::new("setsid");
    command
        .arg(berth)
        .args(["up", "--detached", "--nodes", &args.nodes.to_string()]);
    command.args([
        "--restart",
        &args.restart.to_string(),
        "--unsafe-fast",
        &args.unsafe_fast.to_string(),
    ]);
    if let Some(dir) = &args.data_dir {
        command.arg("--data-dir").arg(dir);
    }
    if let Some(dir) = &args.dev_dir {
        command.arg("--dev-dir").arg(dir);
    }
    if args.no_sample {
        command.arg("--no-sample");
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().context("cannot start berth up")
}

/// Repeats what the child says until it is up (`None`) or has ended.
async fn follow(child: &mut Child) -> anyhow::Result<Option<ExitStatus>> {
    let (output, talk) = (child.stdout.take(), child.stderr.take());
    tokio::join!(
        copy(output, |line| show(line)),
        copy(talk, |line| say(line))
    );
    // Both pipes are closed: by an end, which the kernel tells a moment later, or by `let_go`.
    let up = tokio::time::timeout(std::time::Duration::from_millis(200), child.wait()).await;
    Ok(up.ok().transpose()?)
}

async fn copy(pipe: Option<impl AsyncRead + Unpin>, line: impl Fn(&str)) {
    let Some(pipe) = pipe else { return };
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(text)) = lines.next_line().await {
        line(&text);
    }
}

/// In the child: everything runs, from now on talk goes to the log.
pub(super) fn let_go(layout: &Layout) -> anyhow::Result<()> {
    let path = layout.log_file("up");
    let log = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    dup2_stdout(&log)?;
    dup2_stderr(&log)?;
    Ok(())
}
