//! What a stack remembers from one start to the next. Holds passwords and keys: mode 0600.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::seed::Seed;
use super::{port, subnet};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Memory {
    #[serde(skip)]
    file: PathBuf,
    pub(super) ports: BTreeMap<Port, u16>,
    pub(super) node_network: Ipv4Net,
    pub(super) passwords: Passwords,
    pub(super) seed: Seed,
    /// Simulated nodes that this stack ever had. Berth knows them all, so all of them start:
    /// one that stayed away would look like a machine that is down.
    #[serde(default)]
    pub(super) nodes: u32,
    /// `INTERNAL_JWKS_REFRESH_TOKEN`; stacks of earlier versions get theirs now.
    #[serde(default = "long_secret")]
    pub(super) jwks_refresh_token: String,
    /// `BERTH_PAYMENTS_WEBHOOK_SECRET`, likewise.
    #[serde(default = "webhook_secret")]
    pub(super) payments_webhook_secret: String,
}

/// Everything of a stack that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Port {
    Postgres,
    Redis,
    Nats,
    Temporal,
    TemporalHttp,
    TemporalUi,
    TemporalMetrics,
    Api,
    WorkerMetrics,
    RelayMetrics,
}

impl Port {
    const ALL: [Port; 10] = [
        Port::Postgres,
        Port::Redis,
        Port::Nats,
        Port::Temporal,
        Port::TemporalHttp,
        Port::TemporalUi,
        Port::TemporalMetrics,
        Port::Api,
        Port::WorkerMetrics,
        Port::RelayMetrics,
    ];
}

/// Of the database roles.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Passwords {
    pub(super) postgres: String,
    pub(super) berth_owner: String,
    pub(super) berth_api: String,
    pub(super) berth_worker: String,
    pub(super) berth_admin: String,
}

impl Memory {
    /// Reads the memory, or makes one for a new stack; ports that others took meanwhile are chosen
    /// again.
    pub(super) fn open(file: &Path) -> anyhow::Result<Memory> {
        Self::open_where(file, port::is_free)
    }

    fn open_where(file: &Path, is_free: impl Fn(u16) -> bool) -> anyhow::Result<Memory> {
        let mut memory = match std::fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text)
                .with_context(|| format!("{} is damaged", file.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Memory::new()?,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        };
        file.clone_into(&mut memory.file);
        memory.choose_ports(is_free)?;
        memory.save()?;
        Ok(memory)
    }

    fn new() -> anyhow::Result<Memory> {
        Ok(Memory {
            file: PathBuf::new(),
            ports: BTreeMap::new(),
            node_network: subnet::choose()?,
            passwords: Passwords {
                postgres: secret(),
                berth_owner: secret(),
                berth_api: secret(),
                berth_worker: secret(),
                berth_admin: secret(),
            },
            seed: Seed::draw()?,
            nodes: 0,
            jwks_refresh_token: long_secret(),
            payments_webhook_secret: webhook_secret(),
        })
    }

    fn choose_ports(&mut self, is_free: impl Fn(u16) -> bool) -> anyhow::Result<()> {
        for name in Port::ALL {
            if !self.ports.get(&name).is_some_and(|port| is_free(*port)) {
                let of_another = |port| self.ports.values().any(|other| *other == port);
                let chosen = port::choose(|port| !of_another(port) && is_free(port))?;
                self.ports.insert(name, chosen);
            }
        }
        Ok(())
    }

    /// Writes it whole or not at all.
    pub(super) fn save(&self) -> anyhow::Result<()> {
        let folder = self.file.parent().context("the memory has no folder")?;
        let write = || -> anyhow::Result<()> {
            let mut new = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&mut new, self)?;
            new.flush()?;
            new.as_file().sync_all()?;
            new.persist(&self.file)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", self.file.display()))
    }

    pub(super) fn port(&self, name: Port) -> u16 {
        self.ports.get(&name).copied().unwrap_or_default()
    }

    /// `127.0.0.1:port`
    pub(super) fn address(&self, name: Port) -> String {
        format!("127.0.0.1:{}", self.port(name))
    }

    pub(super) fn database_url(&self, role: &str, password: &str) -> String {
        format!(
            "postgres://{role}:{password}@{}/berth",
            self.address(Port::Postgres)
        )
    }
}

/// 192 random bits that need no quoting anywhere.
fn secret() -> String {
    let [high, low] = rand::random::<[u128; 2]>();
    format!("{high:032x}{:016x}", low >> 64)
}

/// 256 random bits, likewise.
fn long_secret() -> String {
    let [high, low] = rand::random::<[u128; 2]>();
    format!("{high:032x}{low:032x}")
}

/// Hexadecimal digits are base64 as well.
fn webhook_secret() -> String {
    format!("whsec_{}", long_secret())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_second_start_finds_everything_again_and_leaves_a_taken_port() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stack.json");
        let first = Memory::open_where(&file, |_| true).unwrap();
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );

        let squatted = first.port(Port::Redis);
        let second = Memory::open_where(&file, |port| port != squatted).unwrap();
        for name in Port::ALL {
            let stays = second.port(name) == first.port(name);
            assert_eq!(stays, !matches!(name, Port::Redis), "{name:?}");
        }
        assert_eq!(second.node_network, first.node_network);
        assert_eq!(second.passwords.berth_api, first.passwords.berth_api);
    }
}
