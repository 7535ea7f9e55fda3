//! What an earlier `berth up` that was killed may have left: children that are still ending. Each
//! carries the data folder in its environment; PostgreSQL's workers, which overwrite theirs, are
//! known by the folder they work in.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::child::MARK;
use super::layout::Layout;
use super::talk::say;

const GRACE: Duration = Duration::from_secs(15);
const AFTER_KILL: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Waits for them to go, and kills those that do not; then removes their files.
pub(super) async fn clear(layout: &Layout) -> anyhow::Result<()> {
    let mut left = find(layout);
    if !left.is_empty() {
        say(format_args!(
            "berth: waiting for {} processes of an earlier run to end",
            left.len()
        ));
        left = wait(layout, GRACE).await;
    }
    for pid in &left {
        kill(*pid, Signal::SIGKILL).ok();
    }
    if !left.is_empty() {
        left = wait(layout, AFTER_KILL).await;
    }
    ensure!(
        left.is_empty(),
        "processes of an earlier run do not end: {left:?}"
    );
    for file in std::fs::read_dir(layout.pids_dir())?.flatten() {
        std::fs::remove_file(file.path()).ok();
    }
    for socket in [layout.control_socket(), layout.node_socket()] {
        std::fs::remove_file(socket).ok();
    }
    Ok(())
}

async fn wait(layout: &Layout, limit: Duration) -> Vec<Pid> {
    let deadline = Instant::now() + limit;
    loop {
        let left = find(layout);
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn find(layout: &Layout) -> Vec<Pid> {
    let mark = [MARK.as_bytes(), b"=", layout.root().as_os_str().as_bytes()].concat();
    let postgres = layout.dir("postgres");
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .filter(|(pid, proc)| {
            *pid != std::process::id().cast_signed()
                && (is_marked(proc, &mark) || is_postgres(proc, &postgres))
        })
        .map(|(pid, _)| Pid::from_raw(pid))
        .collect()
}

fn is_marked(proc: &Path, mark: &[u8]) -> bool {
    std::fs::read(proc.join("environ")).is_ok_and(|environ| {
        environ
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark)
    })
}

fn is_postgres(proc: &Path, data: &Path) -> bool {
    std::fs::read_link(proc.join("cwd")).is_ok_and(|folder| folder == data)
        && std::fs::read_link(proc.join("exe"))
            .is_ok_and(|program| program.file_name().is_some_and(|name| name == "postgres"))
}
