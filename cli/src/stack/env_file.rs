//! `.berth/env`: how to reach the stack, in shell format, for its owner alone.

use std::borrow::Cow;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::context::Context;
use super::memory::Port;
use super::server::{nats, redis, temporal};
use super::{role, seed};

fn path() -> anyhow::Result<PathBuf> {
    Ok(std::env::current_dir()
        .context("the current folder is gone")?
        .join(".berth/env"))
}

/// What an earlier run wrote describes nothing that can be reached now.
pub(super) fn remove() -> anyhow::Result<()> {
    match std::fs::remove_file(path()?) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("cannot remove the old .berth/env")
        }
        _ => Ok(()),
    }
}

/// Writes it whole or not at all; answers where.
pub(super) fn write(ctx: &Context) -> anyhow::Result<PathBuf> {
    let path = path()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        for (name, value) in values(ctx) {
            writeln!(new, "{name}={}", quoted(&value))?;
        }
        new.persist(&path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn values(ctx: &Context) -> Vec<(&'static str, String)> {
    let memory = &ctx.memory;
    let admin = memory.database_url("berth_admin", &memory.passwords.berth_admin);
    vec![
        ("BERTH_API_URL", role::api_url(ctx)),
        ("BERTH_API_KEY", memory.seed.owner_key().to_owned()),
        ("BERTH_ADMIN_KEY", memory.seed.operator_key().to_owned()),
        ("BERTH_PROJECT_ID", memory.seed.project_id.to_string()),
        ("BERTH_SKU", seed::SKU.to_owned()),
        ("BERTH_TEMPORAL_ADDRESS", memory.address(Port::Temporal)),
        ("BERTH_TEMPORAL_UI_URL", temporal::ui_url(ctx)),
        ("BERTH_TEMPORAL_NAMESPACE", temporal::NAMESPACE.to_owned()),
        // As the roles know them, for `berth workflow replay`.
        ("TEMPORAL_ADDRESS", memory.address(Port::Temporal)),
        ("TEMPORAL_NAMESPACE", temporal::NAMESPACE.to_owned()),
        (
            "BERTH_KEYRING_DIR",
            ctx.layout.dir("keyring").display().to_string(),
        ),
        ("DATABASE_URL", admin),
        ("REDIS_URL", redis::url(ctx)),
        ("NATS_URL", nats::url(ctx)),
        (
            "INTERNAL_JWKS_REFRESH_TOKEN",
            memory.jwks_refresh_token.clone(),
        ),
        (
            "BERTH_PAYMENTS_WEBHOOK_SECRET",
            memory.payments_webhook_secret.clone(),
        ),
        (
            "BERTH_PIDS_DIR",
            ctx.layout.pids_dir().display().to_string(),
        ),
    ]
}

/// As a shell reads it back; plain values stay plain, for readers that are no shell.
fn quoted(value: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+,".contains(&byte);
    if !value.is_empty() && value.bytes().all(plain) {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(format!("'{}'", value.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::quoted;

    #[test]
    fn a_shell_reads_every_value_back() {
        for value in [
            "http://127.0.0.1:8080",
            "",
            "a b",
            "it's",
            "$HOME `id` \"x\" \\",
        ] {
            let script = format!("V={}; printf %s \"$V\"", quoted(value));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }
        assert_eq!(
            quoted("postgres://berth_admin:0f@127.0.0.1:1/berth"),
            "postgres://berth_admin:0f@127.0.0.1:1/berth"
        );
    }
}
