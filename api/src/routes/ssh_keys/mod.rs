//! `/ssh-keys`: the public keys that tenants log in with. Private keys have no way in.

mod create;
mod delete;
mod get;
mod list;
mod update;

use db::PgConnection;
use domain::id::{OrgId, SshKeyId, UserId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::endpoint::Endpoint;
use crate::resource::{Recall, Resource};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        create::endpoint(),
        list::endpoint(),
        get::endpoint(),
        update::endpoint(),
        delete::endpoint(),
    ]
}

/// A public key, as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SshKey {
    #[schema(value_type = String, example = "sshkey_0198f3c2a4b07e1c9d5e6f708192a3b4")]
    id: SshKeyId,
    #[schema(value_type = String)]
    organization_id: OrgId,
    /// Who brought it.
    #[schema(value_type = String)]
    user_id: UserId,
    name: String,
    algorithm: String,
    /// OpenSSH form, without comment.
    public_key: String,
    /// As `ssh-keygen -l` prints it.
    fingerprint_sha256: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(skip)]
    version: i64,
}

impl From<db::ssh_key::SshKey> for SshKey {
    fn from(row: db::ssh_key::SshKey) -> Self {
        Self {
            id: row.id,
            organization_id: row.org_id,
            user_id: row.user_id,
            name: row.name,
            algorithm: row.algorithm,
            public_key: row.public_key,
            fingerprint_sha256: row.fingerprint_sha256,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

impl Resource for SshKey {
    const KIND: &'static str = "ssh_key";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/ssh-keys/{}", self.id)
    }
}

impl Recall for SshKey {
    async fn recall(_: &App, conn: &mut PgConnection, id: &str) -> db::Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(db::ssh_key::get(conn, id).await?.map(Self::from))
    }
}
