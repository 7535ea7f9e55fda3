//! What a new installation needs before anybody can use it, and what the sample is made of: an
//! operator, a sample organization with a project, keys for both, a region and a SKU.

use anyhow::Context as _;
use db::billing::price::{self, NewPrice};
use domain::api_key::ApiKey;
use domain::id::{OrgId, ProjectId, UserId};
use domain::money::Currency;
use domain::role::Role;
use rand::RngExt as _;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection};

use super::context::Context;
use super::nodes;

pub(super) const REGION: &str = "local";
pub(super) const SKU: &str = "h100-80gb";

/// What a GPU of the sample costs for an hour, in micros of the default currency.
const PRICE_MICROS: i64 = 2_500_000;

/// The database's own clock ends a key; these are for as long as anybody keeps a local stack.
const KEY_LIFETIME_SECONDS: i64 = 10 * 365 * 86_400;

/// Everything that is left to chance, drawn and kept before the first row is written, so that a
/// start that was interrupted is simply repeated.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Seed {
    operator: Identity,
    owner: Identity,
    pub(super) project_id: ProjectId,
}

/// A person with an organization and a key.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Identity {
    org_id: OrgId,
    user_id: UserId,
    key: String,
}

impl Seed {
    pub(super) fn draw() -> anyhow::Result<Seed> {
        Ok(Seed {
            operator: Identity::draw()?,
            owner: Identity::draw()?,
            project_id: db::id::fresh(),
        })
    }

    /// The platform operator's.
    pub(super) fn operator_key(&self) -> &str {
        &self.operator.key
    }

    /// The key of the sample organization's owner.
    pub(super) fn owner_key(&self) -> &str {
        &self.owner.key
    }
}

impl Identity {
    fn draw() -> anyhow::Result<Identity> {
        let digits = |count| {
            rand::rng()
                .sample_iter(Alphanumeric)
                .take(count)
                .map(char::from)
                .collect::<String>()
        };
        let key = ApiKey::from_parts(
            &digits(ApiKey::PUBLIC_ID_DIGITS),
            &digits(ApiKey::SECRET_DIGITS),
        )?;
        Ok(Identity {
            org_id: db::id::fresh(),
            user_id: db::id::fresh(),
            key: key.reveal(),
        })
    }
}

/// Writes what is missing, in one transaction.
pub(super) async fn plant(ctx: &Context) -> anyhow::Result<()> {
    let seed = &ctx.memory.seed;
    let url = ctx
        .memory
        .database_url("berth_owner", &ctx.memory.passwords.berth_owner);
    let mut conn = PgConnection::connect(&url).await?;
    let mut tx = conn.begin().await?;
    catalog(&mut tx).await?;
    if db::user::get(&mut tx, seed.operator.user_id)
        .await?
        .is_none()
    {
        identity(&mut tx, &seed.operator, &Names::OPERATOR).await?;
        identity(&mut tx, &seed.owner, &Names::OWNER).await?;
        let project = db::project::NewProject {
            id: seed.project_id,
            org_id: seed.owner.org_id,
            name: "sample",
            description: "Made by `berth up`",
        };
        db::project::insert(&mut tx, project).await?;
    }
    tx.commit().await?;
    conn.close().await?;
    Ok(())
}

async fn catalog(conn: &mut PgConnection) -> anyhow::Result<()> {
    db::catalog::upsert_region(conn, REGION, "This machine").await?;
    let sku = db::catalog::NewSku {
        name: SKU,
        region: REGION,
        display_name: "NVIDIA H100 80 GB (simulated)",
        gpu_model: nodes::GPU_MODEL,
        gpu_memory_bytes: i64::from(nodes::GPU_MEMORY_MIB) * 1024 * 1024,
        gpus_per_node: nodes::GPUS.cast_signed(),
    };
    db::catalog::upsert_sku(conn, sku).await?;
    price(conn).await
}

/// The sample SKU's first price; a price that somebody set stays.
async fn price(conn: &mut PgConnection) -> anyhow::Result<()> {
    let currency = Currency::DEFAULT;
    let now = db::clock::now(&mut *conn).await?;
    let known = price::at_or_after(&mut *conn, SKU, currency, now).await?;
    if known.is_none() {
        let new = NewPrice {
            sku: SKU,
            currency,
            amount_micros_per_hour: PRICE_MICROS,
            effective_from: now.replace_nanosecond(0)?,
            effective_to: None,
            reason: "came with the sample catalog",
            created_by: None,
        };
        price::insert(conn, new).await?;
    }
    Ok(())
}

struct Names {
    organization: &'static str,
    slug: &'static str,
    email: &'static str,
    person: &'static str,
    platform_role: Option<domain::role::PlatformRole>,
}

impl Names {
    const OPERATOR: Names = Names {
        organization: "Platform operators",
        slug: "platform",
        email: "operator@berth.localhost",
        person: "Operator",
        platform_role: Some(domain::role::PlatformRole::Operator),
    };
    const OWNER: Names = Names {
        organization: "Sample organization",
        slug: "demo",
        email: "owner@demo.localhost",
        person: "Sample owner",
        platform_role: None,
    };
}

async fn identity(
    conn: &mut PgConnection,
    identity: &Identity,
    names: &Names,
) -> anyhow::Result<()> {
    db::organization::insert(conn, identity.org_id, names.organization, names.slug).await?;
    let user = db::user::NewUser {
        id: identity.user_id,
        email: names.email,
        display_name: names.person,
        platform_role: names.platform_role,
    };
    db::user::insert(conn, user).await?;
    db::membership::insert(conn, identity.org_id, identity.user_id, Role::Owner).await?;
    let key = ApiKey::parse(&identity.key).context("a remembered key is damaged")?;
    let key = db::api_key::NewApiKey {
        id: db::id::fresh(),
        org_id: identity.org_id,
        user_id: identity.user_id,
        name: "berth up",
        public_id: key.public_id(),
        secret_sha256: key.secret_sha256(),
        lifetime_seconds: KEY_LIFETIME_SECONDS,
        scopes: &domain::api_key::Scope::all(),
    };
    db::api_key::insert(conn, key).await?;
    Ok(())
}
