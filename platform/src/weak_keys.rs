//! Lists of SSH keys that are not taken, from the operator's folder.

use anyhow::Context as _;
use domain::ssh_public_key::WeakKeys;

use crate::settings::Settings;

/// What files are called that hold a list, as Debian's package calls them.
const LISTS: &str = "blacklist.";

/// Reads every list of `BERTH_SSH_WEAK_KEYS_DIR`; without that setting there is none.
pub fn load(settings: &Settings) -> anyhow::Result<WeakKeys> {
    let mut known = WeakKeys::none();
    let Some(folder) = &settings.ssh_weak_keys_dir else {
        return Ok(known);
    };
    let about = || format!("BERTH_SSH_WEAK_KEYS_DIR: {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(about)? {
        let file = entry.with_context(about)?;
        if !file.file_name().to_string_lossy().starts_with(LISTS) {
            continue;
        }
        let in_file = || format!("BERTH_SSH_WEAK_KEYS_DIR: {}", file.path().display());
        let list = std::fs::read_to_string(file.path()).with_context(in_file)?;
        known.add(&list).with_context(in_file)?;
    }
    anyhow::ensure!(
        !known.is_empty(),
        "{}: no file there is named {LISTS}* and holds a list",
        about()
    );
    tracing::info!(keys = known.len(), "lists of weak SSH keys read");
    Ok(known)
}
