//! Berth's own long-lived keys: files in a folder that nobody else may read. They are made on
//! first use, by whichever role comes first; a folder or file with an open door stops the start.
//!
//! Nothing of this is ever in a table, an event, a log or a workflow.

use std::fmt;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use nix::fcntl::{Flock, FlockArg, OFlag};
use rand::RngExt as _;
use zeroize::Zeroizing;

/// No key file is larger.
const MAX_BYTES: u64 = 16 * 1024;

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("cannot use {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} must belong to the account that Berth runs as", .0.display())]
    Owner(PathBuf),
    #[error("{} may be read by others: its mode is {mode:o}, it must be {wanted:o}", path.display())]
    Mode {
        path: PathBuf,
        mode: u32,
        wanted: u32,
    },
    #[error("{} does not hold a key", .0.display())]
    Content(PathBuf),
}

/// The folder of key files.
#[derive(Clone)]
pub struct Keyring {
    directory: PathBuf,
}

impl Keyring {
    /// Opens the folder, or makes it (0700).
    pub fn open_or_create(directory: &Path) -> Result<Self, KeyringError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .and_then(|()| fs::metadata(directory))
            .map_err(|source| failed(directory, source))
            .and_then(|metadata| check(directory, &metadata, 0o700))?;
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// 32 random bytes that stay the same from the first call on, in every role.
    pub fn secret(&self, name: &str) -> Result<Zeroizing<[u8; 32]>, KeyringError> {
        let text = self.read_or_make(&format!("{name}.key"), || {
            let bytes = Zeroizing::new(rand::rng().random::<[u8; 32]>());
            Ok(Zeroizing::new(BASE64_STANDARD.encode(*bytes)))
        })?;
        let wrong = || KeyringError::Content(self.path(&format!("{name}.key")));
        let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|_| wrong())?;
        let bytes = Zeroizing::new(bytes);
        Ok(Zeroizing::new(
            bytes.as_slice().try_into().map_err(|_| wrong())?,
        ))
    }

    /// An Ed25519 signing key in OpenSSH's format, made when it is not there.
    pub fn ssh_key(&self, name: &str) -> Result<ssh_key::PrivateKey, KeyringError> {
        let path = self.path(name);
        let wrong = |_| KeyringError::Content(path.clone());
        let text = self.read_or_make(name, || {
            fresh_ssh_key()
                .to_openssh(ssh_key::LineEnding::LF)
                .map_err(wrong)
        })?;
        ssh_key::PrivateKey::from_openssh(text.as_str()).map_err(wrong)
    }

    /// Lays the public half of a key beside it, for those who set up nodes.
    pub(crate) fn publish(&self, name: &str, text: &str) -> Result<(), KeyringError> {
        let path = self.path(name);
        if fs::read_to_string(&path).is_ok_and(|there| there == text) {
            return Ok(());
        }
        let unfinished = self.unfinished(name);
        write(&unfinished, text).map_err(|source| failed(&unfinished, source))?;
        fs::rename(&unfinished, &path).map_err(|source| failed(&path, source))
    }

    /// Adds to a number in a file, one process at a time, and says what it is then. None, and
    /// nothing is changed, when it would be more than `most`.
    pub(super) fn add(
        &self,
        name: &str,
        amount: u64,
        most: u64,
    ) -> Result<Option<u64>, KeyringError> {
        let path = self.path(name);
        let io = |source| failed(&path, source);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&path)
            .map_err(io)?;
        check(&path, &file.metadata().map_err(io)?, 0o600)?;
        let mut file = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| failed(&path, errno.into()))?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(io)?;
        let before: u64 = match text.trim() {
            "" => 0,
            number => number
                .parse()
                .map_err(|_| KeyringError::Content(path.clone()))?,
        };
        let Some(after) = before.checked_add(amount).filter(|after| *after <= most) else {
            return Ok(None);
        };
        // The number only grows, so it never becomes shorter than what it is written over.
        file.rewind().map_err(io)?;
        file.write_all(after.to_string().as_bytes()).map_err(io)?;
        file.sync_data().map_err(io)?;
        Ok(Some(after))
    }

    pub(super) fn failed(&self, name: &str, source: io::Error) -> KeyringError {
        failed(&self.path(name), source)
    }

    pub(super) fn wrong(&self, name: &str) -> KeyringError {
        KeyringError::Content(self.path(name))
    }

    fn unfinished(&self, name: &str) -> PathBuf {
        self.path(&format!(".{name}.{:016x}", rand::rng().random::<u64>()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(super) fn read_or_make(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Zeroizing<String>, KeyringError>,
    ) -> Result<Zeroizing<String>, KeyringError> {
        let path = self.path(name);
        match read(&path) {
            Err(KeyringError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            known => return known,
        }
        let unfinished = self.unfinished(name);
        write(&unfinished, &make()?).map_err(|source| failed(&unfinished, source))?;
        // A link fails where a rename would replace: of several roles that start at once, one
        // makes the key and all read it.
        let linked = fs::hard_link(&unfinished, &path);
        fs::remove_file(&unfinished).map_err(|source| failed(&unfinished, source))?;
        match linked {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(failed(&path, source))
            }
            _ => read(&path),
        }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

/// An Ed25519 pair from the thread's generator, without a comment.
pub(crate) fn fresh_ssh_key() -> ssh_key::PrivateKey {
    let seed = Zeroizing::new(rand::rng().random::<[u8; 32]>());
    ssh_key::private::Ed25519Keypair::from_seed(&seed).into()
}

pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, KeyringError> {
    let open = || {
        OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(path)
    };
    let file: File = open().map_err(|source| failed(path, source))?;
    let metadata = file.metadata().map_err(|source| failed(path, source))?;
    check(path, &metadata, 0o600)?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(|source| failed(path, source))?;
    Ok(text)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn check(path: &Path, metadata: &Metadata, wanted: u32) -> Result<(), KeyringError> {
    if metadata.uid() != nix::unistd::geteuid().as_raw() {
        return Err(KeyringError::Owner(path.to_owned()));
    }
    let mode = metadata.mode() & 0o777;
    if mode & !wanted != 0 {
        return Err(KeyringError::Mode {
            path: path.to_owned(),
            mode,
            wanted,
        });
    }
    Ok(())
}

fn failed(path: &Path, source: io::Error) -> KeyringError {
    KeyringError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn keyring() -> (tempfile::TempDir, Keyring) {
        let directory = tempfile::tempdir().unwrap();
        let keyring = Keyring::open_or_create(&directory.path().join("keys")).unwrap();
        (directory, keyring)
    }

    #[test]
    fn keys_are_made_once() {
        let (_directory, keyring) = keyring();
        let first = keyring.ssh_key("ca").unwrap();
        assert_eq!(keyring.ssh_key("ca").unwrap(), first);
        assert_ne!(keyring.ssh_key("other").unwrap(), first);
        assert_eq!(keyring.secret("a").unwrap(), keyring.secret("a").unwrap());
        assert_ne!(keyring.secret("a").unwrap(), keyring.secret("b").unwrap());
        for entry in fs::read_dir(&keyring.directory).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn roles_that_start_at_once_agree() {
        let (_directory, keyring) = keyring();
        let keys: Vec<_> = std::thread::scope(|scope| {
            let made: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| keyring.ssh_key("ca").unwrap()))
                .collect();
            made.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        assert_eq!(fs::read_dir(&keyring.directory).unwrap().count(), 1);
    }

    #[test]
    fn open_doors_are_refused() {
        let (_directory, keyring) = keyring();
        keyring.secret("a").unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        let file = keyring.path("a.key");
        set(&file, 0o640).unwrap();
        assert!(matches!(
            keyring.secret("a"),
            Err(KeyringError::Mode { mode: 0o640, .. })
        ));
        set(&file, 0o600).unwrap();
        set(&keyring.directory, 0o755).unwrap();
        let reopened = Keyring::open_or_create(&keyring.directory);
        assert!(matches!(
            reopened,
            Err(KeyringError::Mode { mode: 0o755, .. })
        ));
    }

    #[test]
    fn links_and_rubbish_are_refused() {
        let (directory, keyring) = keyring();
        let elsewhere = directory.path().join("elsewhere");
        fs::write(&elsewhere, "x").unwrap();
        std::os::unix::fs::symlink(&elsewhere, keyring.path("a.key")).unwrap();
        assert!(matches!(keyring.secret("a"), Err(KeyringError::Io { .. })));
        write(&keyring.path("b.key"), "short").unwrap();
        assert!(matches!(keyring.secret("b"), Err(KeyringError::Content(_))));
        write(&keyring.path("ca"), "short").unwrap();
        assert!(matches!(
            keyring.ssh_key("ca"),
            Err(KeyringError::Content(_))
        ));
    }
}
