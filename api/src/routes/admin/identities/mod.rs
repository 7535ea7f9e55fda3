//! `/admin/identities`: which person a subject of the OpenID provider is. Nobody becomes a person
//! here by having a token: rights live in Berth's database, and an operator says whose they are.

mod create;
mod delete;
mod get;
mod list;
mod revoke_tokens;

use db::PgConnection;
use domain::id::{IdentityId, UserId};
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
        delete::endpoint(),
        revoke_tokens::endpoint(),
    ]
}

/// A subject of a provider, linked to a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Identity {
    #[schema(value_type = String, example = "ident_0198f3c2a4b07e1c9d5e6f708192a3b4")]
    id: IdentityId,
    #[schema(value_type = String)]
    user_id: UserId,
    email: String,
    issuer: String,
    /// `sub` in the provider's tokens.
    subject: String,
    /// Tokens that were issued before are void.
    #[serde(with = "time::serde::rfc3339::option")]
    tokens_not_before: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(skip)]
    version: i64,
}

impl From<db::identity::Identity> for Identity {
    fn from(row: db::identity::Identity) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id,
            email: row.email,
            issuer: row.issuer,
            subject: row.subject,
            tokens_not_before: row.not_before_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

impl Resource for Identity {
    const KIND: &'static str = "identity";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/identities/{}", self.id)
    }
}

impl Recall for Identity {
    async fn recall(_: &App, conn: &mut PgConnection, id: &str) -> db::Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(db::identity::get(conn, id).await?.map(Self::from))
    }
}
