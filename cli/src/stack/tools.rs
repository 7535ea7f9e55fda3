//! The programs of others that a stack runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use platform::settings::session_path;

use super::layout;

/// Where Debian keeps PostgreSQL, one folder a major version.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

#[derive(Debug, Clone)]
pub(super) struct Tools {
    /// Holds `initdb` and `postgres`.
    pub(super) postgres_bin: PathBuf,
    pub(super) redis_server: PathBuf,
    pub(super) nats_server: PathBuf,
    pub(super) temporal: PathBuf,
    /// This very program, for the roles.
    pub(super) berth: PathBuf,
}

impl Tools {
    /// Finds them, or says which one is missing. `postgres_data` names the version to look for when
    /// it was made before.
    pub(super) fn find(postgres_data: &Path, dev_dir: Option<&Path>) -> anyhow::Result<Tools> {
        let here = std::env::current_dir().context("the current folder is gone")?;
        let dev = match dev_dir {
            Some(dir) => Some(dir.to_owned()),
            None => layout::workspace(&here).map(|clone| clone.join(".dev")),
        };
        let venv = dev.map(|dev| dev.join("venv/bin"));
        let tool = |name: &str| {
            let own = venv
                .as_ref()
                .map(|bin| bin.join(name))
                .filter(|file| file.is_file());
            own.or_else(|| on_path(name))
                .with_context(|| format!("{name} is not installed: run scripts/setup.sh"))
        };
        Ok(Tools {
            postgres_bin: postgres(postgres_data)
                .context("PostgreSQL is not installed: run scripts/setup.sh")?,
            redis_server: tool("redis-server")?,
            nats_server: tool("nats-server")?,
            temporal: tool("temporal")?,
            berth: std::env::current_exe().context("cannot find this program's own file")?,
        })
    }
}

fn postgres(data: &Path) -> Option<PathBuf> {
    let made_by = std::fs::read_to_string(data.join("PG_VERSION")).ok();
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(POSTGRES_VERSIONS)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            let bin = entry.path().join("bin");
            (bin.join("initdb").is_file() && bin.join("postgres").is_file())
                .then_some((version, bin))
        })
        .collect();
    versions.sort();
    match made_by.as_deref().map(str::trim) {
        Some(wanted) => versions
            .into_iter()
            .find(|(version, _)| version.to_string() == wanted)
            .map(|(_, bin)| bin),
        None => versions.pop().map(|(_, bin)| bin).or_else(|| {
            on_path("initdb")?
                .canonicalize()
                .ok()?
                .parent()
                .map(Path::to_owned)
        }),
    }
}

/// Root's `PATH` may lack the folders for administrators, and so may a user's.
fn on_path(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = session_path("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path)
        .chain(["/usr/bin", "/usr/sbin", "/usr/local/bin"].map(PathBuf::from));
    folders
        .map(|folder| folder.join(name.as_ref()))
        .find(|file| file.is_file())
}
