//! `/api-keys`: keys for machines. A key acts as the person who made it, in one organization; its
//! secret is shown once and kept nowhere (AK-01).

mod create;
mod get;
mod list;
mod revoke;
mod rotate;

use std::collections::BTreeSet;

use db::PgConnection;
use domain::api_key::Scope;
use domain::id::{ApiKeyId, OrgId, UserId};
use domain::policy::{self, Policy};
use domain::role::Role;
use rand::RngExt;
use rand::distr::Alphanumeric;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::authentication::Principal;
use crate::authorization::scope;
use crate::endpoint::Endpoint;
use crate::problem::{Code, Problem};
use crate::resource::{Recall, Resource};

const MIN_LIFETIME_SECONDS: i64 = 60;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        create::endpoint(),
        list::endpoint(),
        get::endpoint(),
        rotate::endpoint(),
        revoke::endpoint(),
    ]
}

/// A key, as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKey {
    #[schema(value_type = String, example = "key_0198f3c2a4b07e1c9d5e6f708192a3b4")]
    id: ApiKeyId,
    #[schema(value_type = String)]
    organization_id: OrgId,
    /// The person in whose name it acts.
    #[schema(value_type = String)]
    user_id: UserId,
    name: String,
    /// The middle part of the key; tells which one is used where.
    public_id: String,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// Until when the secret before the last rotation opens, too.
    #[serde(with = "time::serde::rfc3339::option")]
    previous_secret_expires_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
    /// To the minute.
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
    /// Where that use came from.
    last_used_ip: Option<String>,
    /// What it may be used for, within what its person may do.
    #[schema(value_type = Vec<String>, example = json!(["read"]))]
    scopes: BTreeSet<Scope>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(skip)]
    version: i64,
}

/// A key with its secret, in the one answer that shows it.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedApiKey {
    #[serde(flatten)]
    key: ApiKey,
    /// The whole key: `berth_<public id>_<secret><checksum>`.
    secret: String,
}

impl From<db::api_key::ApiKey> for ApiKey {
    fn from(row: db::api_key::ApiKey) -> Self {
        Self {
            id: row.id,
            organization_id: row.org_id,
            user_id: row.user_id,
            name: row.name,
            public_id: row.public_id,
            expires_at: row.expires_at,
            previous_secret_expires_at: row.previous_expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            last_used_ip: row.last_used_ip,
            scopes: row.scopes,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

impl Resource for ApiKey {
    const KIND: &'static str = "api_key";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/api-keys/{}", self.id)
    }
}

impl Resource for IssuedApiKey {
    const KIND: &'static str = ApiKey::KIND;

    fn id(&self) -> String {
        self.key.id()
    }

    fn version(&self) -> i64 {
        self.key.version
    }

    fn url(&self) -> String {
        self.key.url()
    }
}

impl Recall for ApiKey {
    async fn recall(_: &App, conn: &mut PgConnection, id: &str) -> db::Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(db::api_key::get(conn, id).await?.map(Self::from))
    }
}

/// Whose keys the caller may look at: everybody's as an admin, else his own.
fn visible_to(principal: &Principal) -> Option<UserId> {
    (principal.role < Role::Admin).then_some(principal.user_id)
}

/// Draws a text of base-62 digits from the system's randomness.
fn draw(digits: usize) -> String {
    let mut random = rand::rng();
    (0..digits)
        .map(|_| char::from(random.sample(Alphanumeric)))
        .collect()
}

/// A key with a fresh secret; the public id is given when the key exists already.
fn draw_key(public_id: Option<&str>) -> Result<domain::api_key::ApiKey, Problem> {
    use domain::api_key::ApiKey;
    let drawn = draw(ApiKey::PUBLIC_ID_DIGITS);
    let secret = draw(ApiKey::SECRET_DIGITS);
    ApiKey::from_parts(public_id.unwrap_or(&drawn), &secret).map_err(|e| Problem::internal(&e))
}

/// Refuses scopes that the caller could not use himself.
fn grantable(principal: &Principal, scopes: &BTreeSet<Scope>) -> Result<(), Problem> {
    let beyond = |scope: &&Scope| !scope::may_grant(principal, **scope);
    match scopes.iter().find(beyond) {
        None => Ok(()),
        Some(scope) => {
            let name: &'static str = scope.into();
            let detail = format!("you have no {name} rights to hand on");
            Err(Problem::new(Code::Forbidden)
                .detail(detail.clone())
                .at("/scopes", detail))
        }
    }
}

/// Refuses a key more than a person may have, counting those besides `this` one. Nobody else gives
/// him one until the transaction ends.
async fn room_for(
    conn: &mut PgConnection,
    principal: &Principal,
    this: Option<ApiKeyId>,
) -> Result<(), Problem> {
    let (org, user) = (principal.org_id, principal.user_id);
    db::api_key::lock_person(conn, org, user).await?;
    let scope = policy::Scope::Organization(org);
    let most = db::policy::resolve(conn, &policy::KEYS_MAX, scope).await?;
    if db::api_key::count_live(conn, user, this).await? < most {
        return Ok(());
    }
    let detail = format!("{most} keys are live; revoke one first");
    Err(Problem::new(Code::LimitReached).detail(detail))
}

/// A time in the body: what is asked for, or the policy's default, and not beyond the policy's
/// bound in this organization.
async fn within(
    conn: &mut PgConnection,
    org: OrgId,
    pointer: &str,
    asked_seconds: Option<i64>,
    (least, default, most): (i64, &Policy, &Policy),
) -> Result<i64, Problem> {
    let scope = policy::Scope::Organization(org);
    let most = db::policy::resolve(conn, most, scope).await?;
    let Some(seconds) = asked_seconds else {
        return Ok(db::policy::resolve(conn, default, scope).await?.min(most));
    };
    if (least..=most).contains(&seconds) {
        return Ok(seconds);
    }
    Err(Problem::invalid(
        pointer,
        format!("must be between {least} and {most}"),
    ))
}
