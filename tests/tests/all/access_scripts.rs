//! The scripts that give and take access, on a node: run twice, cut off anywhere, overtaken.
//! The node is shared with other tests, so no GPU is touched here; the stories do that.

use std::time::Duration;

use domain::id::AllocationId;
use domain::unix_user;
use tests::node::Node;
use tests::stack;

const LIMIT: Duration = Duration::from_mins(1);
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const INSTALL: &str = include_str!("../../../activities/src/scripts/install.sh");
const REMOVE: &str = include_str!("../../../activities/src/scripts/remove.sh");
const PROVE: &str = include_str!("../../../activities/src/scripts/prove_removed.sh");

/// An allocation that only these tests know, on one node.
struct Guest {
    node: Node,
    account: String,
    variables: String,
}

impl Guest {
    async fn new() -> Self {
        let node = Node::of(stack().await, "node-3").await;
        let allocation: AllocationId = db::id::fresh();
        let account = unix_user::for_allocation(allocation);
        let principal = unix_user::principal(allocation);
        let variables =
            format!("ACCOUNT='{account}'\nPRINCIPAL='{principal}'\nGPUS=''\nKEYS='{KEY}'\n");
        Self {
            node,
            account,
            variables,
        }
    }

    fn script(&self, body: &str) -> String {
        let common = include_str!("../../../activities/src/scripts/common.sh");
        [&self.variables, common, body].concat()
    }

    async fn run(&self, script: &str) -> (u32, String) {
        let output = self.node.run(script, LIMIT).await.expect("an end");
        assert_eq!(output.stderr, "", "{}", output.stdout);
        (output.status, output.stdout)
    }

    async fn install(&self) {
        let done = self.run(&self.script(INSTALL)).await;
        assert_eq!(done, (0, "done\n".to_owned()));
        let state = format!(
            "id -nu {0} && id -ng {0} && stat -c '%U %a' /home/{0} /home/{0}/.ssh/authorized_keys \
             && cat /home/{0}/.ssh/authorized_keys && stat -c '%U %a' /etc/ssh/principals/{0}",
            self.account
        );
        let (status, state) = self.run(&state).await;
        let account = &self.account;
        let wanted =
            format!("{account}\n{account}\n{account} 700\n{account} 600\n{KEY}\nroot 644\n");
        assert_eq!((status, state), (0, wanted));
    }

    async fn remove(&self) {
        let done = self.run(&self.script(REMOVE)).await;
        assert_eq!(done, (0, "done\n".to_owned()));
        assert_eq!(self.left().await, Vec::<String>::new());
    }

    /// What the proof finds.
    async fn left(&self) -> Vec<String> {
        let (status, report) = self.run(&self.script(PROVE)).await;
        assert_eq!(status, 0);
        let left = report.lines().filter_map(|line| line.strip_prefix("left "));
        left.map(str::to_owned).collect()
    }

    /// Runs the script and pulls the plug on it, with all its children, after this long.
    async fn cut_off(&self, body: &str, milliseconds: u64) {
        let script = self.script(body);
        let cut = format!(
            "timeout -s KILL 0.{milliseconds:03} /bin/sh -s <<'BERTH_END' || true\n\
             {script}\nBERTH_END\n"
        );
        let output = self.node.run(&cut, LIMIT).await;
        drop(output.expect("an end"));
    }

    /// Lets the removed account come back, as no allocation ever would.
    async fn forget(&self) {
        let forget = format!("rm -f /run/berth/removed/{}", self.account);
        assert_eq!(self.run(&forget).await.0, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twice_is_once() {
    let guest = Guest::new().await;
    guest.remove().await;
    guest.forget().await;
    guest.install().await;
    guest.install().await;
    guest.remove().await;
    guest.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_anywhere_it_is_finished_by_the_next_try() {
    let guest = Guest::new().await;
    for milliseconds in (5..200).step_by(15) {
        guest.cut_off(INSTALL, milliseconds).await;
        guest.install().await;
        guest.cut_off(REMOVE, milliseconds).await;
        guest.remove().await;
        guest.forget().await;
        guest.cut_off(INSTALL, milliseconds).await;
        guest.remove().await;
        guest.forget().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overtaken_install_brings_nothing_back() {
    let guest = Guest::new().await;
    guest.install().await;
    guest.remove().await;
    let late = guest.run(&guest.script(INSTALL)).await;
    assert_eq!(late, (3, "fault already_removed\n".to_owned()));
    assert_eq!(guest.left().await, Vec::<String>::new());
}

/// What a tenant may leave lying about, and what it may try against the one who cleans up.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_tenant_left_is_found_and_taken() {
    let guest = Guest::new().await;
    guest.install().await;
    let account = &guest.account;
    let bystander = format!("/etc/berth-bystander.{account}");
    let mess = format!(
        "set -e; mkdir {bystander}; touch {bystander}/authorized_keys
         runuser -u {account} -- sh -c '
           cd /home/{account}; mv .ssh .old; ln -s {bystander} .ssh
           touch /tmp/m.{account} /var/tmp/m.{account} /dev/shm/m.{account}
           mkdir -p /tmp/d.{account}/e; ln -s {bystander} /tmp/d.{account}/link; chmod 0 /tmp/d.{account}
           (trap \"\" TERM HUP INT; exec sleep 600) > /dev/null 2>&1 &
           setsid sleep 600 > /dev/null 2>&1 &
         '"
    );
    assert_eq!(guest.run(&mess).await.0, 0);
    let left = guest.left().await;
    for what in ["account", "home", "principals", "processes", "files"] {
        let found = left.iter().any(|found| found == what);
        assert!(found, "{what} is not in {left:?}");
    }
    guest.remove().await;
    let spared = format!("test -e {bystander}/authorized_keys && rm -r {bystander}");
    assert_eq!(guest.run(&spared).await.0, 0, "what others own stays");
}
