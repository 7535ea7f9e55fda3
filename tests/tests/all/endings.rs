//! How a local stack ends.

use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tests::stack::START_LIMIT;
use tests::{Stack, eventually};

/// Names of the network namespaces whose nodes this prefix made.
fn namespaces(prefix: &str) -> Vec<String> {
    let listed = Command::new("ip")
        .args(["netns", "list"])
        .output()
        .expect("ip runs");
    let listed = String::from_utf8(listed.stdout).expect("names are text");
    listed
        .lines()
        .filter(|line| line.starts_with(&format!("{prefix}.")))
        .map(str::to_owned)
        .collect()
}

/// What the stack's node host was told to name its namespaces by.
fn prefix(stack: &Stack) -> String {
    let pid = stack.pid("node-host").expect("the node host runs");
    let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("its command line");
    let mut words = line.split('\0').skip_while(|word| *word != "--prefix");
    words.nth(1).expect("a prefix").to_owned()
}

#[tokio::test]
async fn a_stack_that_is_asked_again_and_again_to_end_leaves_no_namespace() {
    let stack = Stack::own(2).await;
    let prefix = prefix(&stack);
    assert_eq!(namespaces(&prefix).len(), 2);
    let pid = std::fs::read_to_string(stack.dir().join("up.pid")).expect("a pid file");
    let up = Pid::from_raw(pid.parse().expect("a pid"));
    let log = stack.dir().join("up.log");
    kill(up, Signal::SIGTERM).expect("it runs");
    eventually("it is stopping", START_LIMIT, || async {
        let said = std::fs::read_to_string(&log).ok()?;
        said.contains("stopping").then_some(())
    })
    .await;
    for again in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGTERM] {
        // It may be through already.
        kill(up, again).ok();
    }
    drop(stack);
    assert_eq!(namespaces(&prefix), [""; 0]);
}
