//! `berth ssh-key`: public keys. Private ones never leave the machine they are on.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Deserialize;
use serde_json::json;

use super::exit::{Failure, Result};
use super::group::Run;
use super::id;
use super::list::{Page, PageArgs, Row};
use super::session::Session;
use super::table::{Show, Table};
use super::wait::KeyArgs;
use crate::client::Call;

/// More than any public key needs.
const PUBLIC_KEY_BYTES_MAX: u64 = 16 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Register a public key
    Create {
        /// File with the public key, such as `~/.ssh/id_ed25519.pub`
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Name for people [default: the file's name]
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Show the organization's public keys
    List(PageArgs),
    /// Forget a public key; live allocations that have it keep it
    Delete {
        #[arg(value_name = "SSH_KEY", value_parser = id::ssh_key)]
        id: String,
    },
}

#[derive(Debug, Deserialize)]
struct SshKey {
    id: String,
    name: String,
    #[serde(default)]
    algorithm: Option<String>,
    fingerprint_sha256: String,
    created_at: String,
}

impl Show for SshKey {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("id", &self.id);
        table.field("name", &self.name);
        table.field("algorithm", &self.algorithm);
        table.field("fingerprint", &self.fingerprint_sha256);
        table.field("created", &self.created_at);
        table
    }
}

impl Row for SshKey {
    const HEADINGS: &'static [&'static str] = &["ID", "NAME", "FINGERPRINT", "CREATED"];

    fn cells(&self) -> Vec<String> {
        let Self {
            id,
            name,
            fingerprint_sha256,
            created_at,
            ..
        } = self;
        [id, name, fingerprint_sha256, created_at]
            .map(Clone::clone)
            .to_vec()
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::Create { file, name, key } => {
                let public_key = read_public_key(&file)?;
                let name = name.unwrap_or_else(|| file_name(&file));
                let body = json!({ "name": name, "public_key": public_key });
                let call = Call::post("ssh-keys", key.key()).with_body(body);
                session.call::<SshKey>(&call).await
            }
            Self::List(page) => {
                session
                    .call::<Page<SshKey>>(&page.apply(Call::get("ssh-keys")))
                    .await
            }
            Self::Delete { id } => session.delete(&format!("ssh-keys/{id}"), &id).await,
        }
    }
}

fn file_name(file: &Path) -> String {
    let name = file.file_name().unwrap_or(file.as_os_str());
    name.to_string_lossy().into_owned()
}

/// The file's text; a private key stays where it is.
fn read_public_key(file: &Path) -> Result<String> {
    let refuse = |why: String| Failure::Usage(format!("{}: {why}", file.display()));
    let size = std::fs::metadata(file)
        .map_err(|error| refuse(error.to_string()))?
        .len();
    if size > PUBLIC_KEY_BYTES_MAX {
        return Err(refuse("too large for a public key".to_owned()));
    }
    let text = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
    if text.contains("PRIVATE KEY") {
        return Err(refuse(
            "this is a private key; give the public one (.pub)".to_owned(),
        ));
    }
    Ok(text.trim().to_owned())
}
