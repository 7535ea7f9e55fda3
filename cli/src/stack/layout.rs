//! Where a local stack keeps its things.
//!
//! ```text
//! <data>/stack.json       what is remembered: ports, passwords, keys, addresses (0600)
//! <data>/lock             held while a `berth up` runs on this folder
//! <data>/up.pid           the process that holds it
//! <data>/control.sock     `berth stack …` talks to it here
//! <data>/pids/, log/      one file a child
//! <data>/postgres/, …     one folder a server
//! <data>/keyring/, nodes/ Berth's own keys; the simulated nodes
//! ```

use std::fs::{DirBuilder, File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::client::EnvFile;
use crate::client::settings::ENV_FILE;

/// A socket's path must fit into `sockaddr_un`, with room for the longest file name.
const ROOT_LENGTH_MAX: usize = 90;
const FOLDERS: &[(&str, u32)] = &[
    ("log", 0o755),
    ("pids", 0o755),
    ("redis", 0o700),
    ("nats", 0o700),
    ("temporal", 0o700),
    ("keyring", 0o700),
    ("nodes", 0o755),
    ("sample", 0o700),
];

#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The folder of a stack to be started: the one given, or the clone's own.
    pub(super) fn of_new(given: Option<&Path>) -> anyhow::Result<Layout> {
        let here = std::env::current_dir().context("the current folder is gone")?;
        let root = match given {
            Some(path) => here.join(path),
            // Postgres, which refuses to run as root, cannot enter root's home.
            None if nix::unistd::geteuid().is_root() => {
                let clone = workspace(&here).unwrap_or(&here);
                Path::new("/var/lib/berth").join(&fingerprint(clone)[..12])
            }
            None => here.join(".berth/data"),
        };
        let length = root.as_os_str().len();
        ensure!(
            length <= ROOT_LENGTH_MAX,
            "the data folder's path has {length} characters, more than {ROOT_LENGTH_MAX}: choose another with --data-dir"
        );
        Ok(Layout { root })
    }

    /// The folder of the stack that is meant here: the one given, the one that `.berth/env` in this
    /// folder describes, or the clone's own.
    pub(super) fn of_running(given: Option<&Path>) -> anyhow::Result<Layout> {
        if given.is_none() {
            let env = EnvFile::read(Path::new(ENV_FILE))?;
            if let Some(root) = env
                .get("BERTH_PIDS_DIR")
                .and_then(|pids| Path::new(pids).parent())
            {
                return Ok(Layout {
                    root: root.to_owned(),
                });
            }
        }
        Layout::of_new(given)
    }

    /// Makes the folders that are missing.
    pub(super) fn make(&self) -> anyhow::Result<()> {
        // As root, other accounts pass through to what is theirs; they cannot list it.
        let mode = if nix::unistd::geteuid().is_root() {
            0o711
        } else {
            0o700
        };
        if let Some(parent) = self.root.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("cannot make {}", parent.display()))?;
        }
        make_folder(&self.root, mode)?;
        FOLDERS
            .iter()
            .try_for_each(|(name, mode)| make_folder(&self.root.join(name), *mode))
    }

    /// Refuses a second `berth up` on the same folder. The lock ends with the process.
    pub(super) fn lock(&self) -> anyhow::Result<File> {
        let path = self.root.join("lock");
        let mut lock = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = std::fs::read_to_string(self.up_pid()).unwrap_or_default();
                bail!(
                    "a stack is running on {} already (pid {}): stop it with `make down`",
                    self.root.display(),
                    pid.trim()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        lock.flush()?;
        std::fs::write(self.up_pid(), format!("{}\n", std::process::id()))?;
        Ok(lock)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn dir(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn log_file(&self, name: &str) -> PathBuf {
        self.root.join("log").join(format!("{name}.log"))
    }

    pub(super) fn pid_file(&self, name: &str) -> PathBuf {
        self.root.join("pids").join(format!("{name}.pid"))
    }

    pub(super) fn pids_dir(&self) -> PathBuf {
        self.root.join("pids")
    }

    pub(super) fn up_pid(&self) -> PathBuf {
        self.root.join("up.pid")
    }

    pub(super) fn memory_file(&self) -> PathBuf {
        self.root.join("stack.json")
    }

    pub(super) fn control_socket(&self) -> PathBuf {
        self.root.join("control.sock")
    }

    pub(super) fn node_socket(&self) -> PathBuf {
        self.root.join("nodes.sock")
    }

    /// Short, and another one for each data folder: names what must differ on this machine.
    pub(super) fn tag(&self) -> String {
        format!("b{}", &fingerprint(&self.root)[..6])
    }
}

/// The nearest folder above `here` that holds Berth's workspace.
pub(super) fn workspace(here: &Path) -> Option<&Path> {
    here.ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file() && folder.join("migrations").is_dir())
}

fn fingerprint(path: &Path) -> String {
    use std::fmt::Write as _;
    Sha256::digest(path.as_os_str().as_encoded_bytes())
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").ok();
            text
        })
}

fn make_folder(path: &Path, mode: u32) -> anyhow::Result<()> {
    let outcome = match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    // The umask may have taken bits away.
    outcome
        .and_then(|()| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)))
        .with_context(|| format!("cannot make {}", path.display()))
}
